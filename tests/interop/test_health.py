"""Clients that ask for the health of a server: grpcio's stub, and the probe that deployments run."""

from __future__ import annotations

import subprocess
from urllib.parse import urlsplit

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse, HealthListRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from support.project import write
from support.serving import GUARD, program

SERVICE = "interop.v1.InteropService"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = (
    HealthCheckResponse.ServingStatus.Value(name) for name in ("SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
)


@pytest.fixture
def stub(servers):
    with grpc.insecure_channel(urlsplit(servers["http"][0]).netloc) as channel:
        yield HealthStub(channel)


def test_grpcio_checks(stub):
    for service in ("", SERVICE, "grpc.health.v1.Health"):
        assert stub.Check(HealthCheckRequest(service=service), timeout=GUARD).status == SERVING
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(HealthCheckRequest(service="nothing"), timeout=GUARD)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_grpcio_lists(stub):
    statuses = stub.List(HealthListRequest(), timeout=GUARD).statuses
    assert (statuses[""].status, statuses[SERVICE].status) == (SERVING, SERVING)


def test_grpcio_watches(stub):
    for service, status in ((SERVICE, SERVING), ("nothing", SERVICE_UNKNOWN)):
        watch = stub.Watch(HealthCheckRequest(service=service), timeout=GUARD)
        assert next(watch).status == status
        watch.cancel()


def probe(go_tool, *options):
    done = subprocess.run(
        [go_tool("grpc-health-probe"), *options], capture_output=True, text=True, timeout=GUARD, check=False
    )
    return done.returncode, done.stderr


def test_grpc_health_probe(go_tool, servers):
    address = urlsplit(servers["http"][0]).netloc
    assert probe(go_tool, "-addr", address)[0] == 0
    assert probe(go_tool, "-addr", address, "-service", SERVICE)[0] == 0
    code, said = probe(go_tool, "-addr", address, "-service", "nothing")
    assert (code, "NotFound" in said) == (3, True), said


def test_grpc_health_probe_with_tls(go_tool, servers):
    url, ca = servers["https"]
    options = ["-addr", urlsplit(url).netloc, "-tls", "-tls-ca-cert", ca]
    assert probe(go_tool, *options)[0] == 0


def test_grpc_health_probe_of_a_service_without_handlers(go_tool, tmp_path):
    write(tmp_path)
    with program("serve", "api.binpb", "--port", 0, cwd=tmp_path) as server:
        address = urlsplit(server.url).netloc
        assert probe(go_tool, "-addr", address)[0] == 0
        code, said = probe(go_tool, "-addr", address, "-service", "notes.v1.Notes")
        assert (code, "NOT_SERVING" in said) == (4, True), said

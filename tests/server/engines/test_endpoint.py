"""Listening: the address that was asked for, or why not."""

from __future__ import annotations

import errno
import socket
from contextlib import closing

import pytest

from dynconnect.server.engines.endpoint import open_endpoint
from dynconnect.server.engines.settings import Settings, StartError


def finding(**settings):
    with pytest.raises(StartError) as caught:
        open_endpoint(Settings(**settings))
    [found] = caught.value.findings
    return found


@pytest.fixture
def taken():
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        yield sock.getsockname()[1]


def test_it_listens_from_the_start_and_knows_the_port_that_it_got():
    with open_endpoint(Settings(port=0)) as endpoint:
        assert endpoint.port > 0
        assert endpoint.url == f"http://127.0.0.1:{endpoint.port}"
        socket.create_connection(("127.0.0.1", endpoint.port)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", endpoint.port))


def test_a_name_means_all_its_addresses_on_one_port(monkeypatch):
    addresses = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    with open_endpoint(Settings(host="both.example.com", port=0)) as endpoint:
        names = [sock.getsockname()[:2] for sock in endpoint.sockets]
        assert names[0] == ("127.0.0.1", endpoint.port)
        assert names[1:] in ([], [("::1", endpoint.port)]), "IPv6 may be off here"
        assert endpoint.url == f"http://both.example.com:{endpoint.port}"


def test_a_family_that_is_switched_off_does_not_matter_beside_another(monkeypatch):
    # 192.0.2.0/24 is kept for documentation: no machine has such an address.
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("127.0.0.1", "192.0.2.7")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    with open_endpoint(Settings(host="half.example.com", port=0)) as endpoint:
        assert [sock.getsockname()[0] for sock in endpoint.sockets] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "localhost"), ("localhost", "localhost"), ("127.0.0.1", "127.0.0.1")]
)
def test_the_url_is_one_that_a_client_on_this_machine_can_use(host, shown):
    with open_endpoint(Settings(host=host, port=0)) as endpoint:
        assert endpoint.url == f"http://{shown}:{endpoint.port}"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_ipv6_addresses_stand_in_brackets_and_everywhere_includes_ipv4():
    with open_endpoint(Settings(host="::1", port=0)) as endpoint:
        assert endpoint.url == f"http://[::1]:{endpoint.port}"
    with open_endpoint(Settings(host="::", port=0)) as endpoint:
        socket.create_connection(("127.0.0.1", endpoint.port)).close()
        socket.create_connection(("::1", endpoint.port)).close()


def test_sockets_say_that_they_are_tcp_so_that_small_writes_do_not_wait():
    with open_endpoint(Settings(port=0)) as endpoint:
        assert [sock.proto for sock in endpoint.sockets] == [socket.IPPROTO_TCP]


def test_a_restart_need_not_wait_for_old_connections():
    with open_endpoint(Settings(port=0)) as endpoint:
        client = socket.create_connection(("127.0.0.1", endpoint.port))
        served, _ = _accepted(endpoint)
        served.close()  # the side that closes first keeps the address in TIME_WAIT
        assert client.recv(1) == b""
        client.close()
    open_endpoint(Settings(port=endpoint.port)).close()


def _accepted(endpoint):
    [sock] = endpoint.sockets
    sock.setblocking(True)
    return sock.accept()


def test_a_port_in_use_is_said_with_a_way_out(taken):
    found = finding(port=taken)
    assert found.where == f"127.0.0.1:{taken}"
    assert found.what == "the port is in use"
    assert "choose another port" in found.hint


def test_nothing_listens_after_a_failure(taken, monkeypatch):
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("127.0.0.2", "127.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    finding(host="both.example.com", port=taken)
    with closing(socket.create_server(("127.0.0.2", taken))):
        pass


OSERRORS = [
    pytest.param(errno.EACCES, "ports below 1024", "from 1024 on", id="privileged port"),
    pytest.param(errno.ENOBUFS, "can't listen here: No buffer space", "", id="anything else"),
]


@pytest.mark.parametrize(("number", "what", "hint"), OSERRORS)
def test_what_the_system_refuses_is_said_in_words(monkeypatch, number, what, hint):
    class Socket(socket.socket):
        def bind(self, _address):
            raise OSError(number, "No buffer space")

    monkeypatch.setattr(socket, "socket", Socket)
    found = finding(port=80)
    assert found.where == "127.0.0.1:80"
    assert what in found.what
    assert hint in found.hint


def test_an_address_of_another_machine_is_refused():
    found = finding(host="192.0.2.7", port=0)
    assert found.where == "192.0.2.7:0"
    assert "no such address" in found.what
    assert "127.0.0.1" in found.hint


def test_a_host_that_does_not_exist_is_refused():
    found = finding(host="no-such-host.invalid", port=0)
    assert "no host of this name" in found.what
    assert "127.0.0.1" in found.hint


def test_certificates_and_address_are_found_at_fault_together(taken, tmp_path):
    with pytest.raises(StartError) as caught:
        open_endpoint(Settings(port=taken, tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem"))
    assert [finding.where for finding in caught.value.findings] == [
        str(tmp_path / "cert.pem"),
        str(tmp_path / "key.pem"),
        f"127.0.0.1:{taken}",
    ]

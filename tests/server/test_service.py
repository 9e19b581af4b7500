"""What is served, as values: the same server in whatever process."""

from __future__ import annotations

import pickle

import pytest
from support.project import write

from dynconnect.live.inputs import Inputs
from dynconnect.rpc.limits import Limits
from dynconnect.schema.finding import FindingsError
from dynconnect.server.cors import Cors
from dynconnect.server.service import Service


@pytest.fixture
def service(tmp_path):
    write(tmp_path)
    inputs = Inputs((str(tmp_path / "api.binpb"),), (str(tmp_path / "plugins"),))
    return Service(inputs, limits=Limits(100))


async def test_it_travels_to_another_process_and_builds_the_same(service):
    assert pickle.loads(pickle.dumps(service)) == service  # noqa: S301  our own
    first, second = await service.build(1, None), await service.build(2, None)
    assert (first.hash, first.number, second.number) == (second.hash, 1, 2)
    assert service.server(first).generations.current is first


async def test_what_is_wrong_with_the_files_is_raised(service, tmp_path):
    (tmp_path / "api.binpb").unlink()
    with pytest.raises(FindingsError, match=r"api\.binpb"):
        await service.build(1, None)


async def test_cors_stands_in_front_only_for_origins(service, tmp_path):
    server = service.server(await service.build(1, None))
    assert service.app(server) is server
    assert isinstance(Service(service.inputs, origins=("*",)).app(server), Cors)

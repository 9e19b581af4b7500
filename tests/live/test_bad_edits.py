"""Every kind of bad edit: the old generation answers throughout, and the finding names file and line."""

from __future__ import annotations

import asyncio
import gzip
import shutil
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from support.bad_plugins import cases
from support.reloading import reloading
from support.shop import make_set

from dynconnect.live import reload as reload_module
from dynconnect.live.news import Refused, Swapped

GET = "shop.v1.Orders/GetOrder"
TABLES = Path(__file__).parents[1] / "plugins" / "bad"
HEAD = "from dynconnect import interceptor, rpc, service\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(reload_module, "PATIENCE", 0.001)


async def refused(live):
    """What is told of the edit that has been made, while calls are answered by generation 1."""
    count, ended = 0, asyncio.Event()

    async def calling():
        nonlocal count
        while not ended.is_set() or not count:
            response = await live.post(GET, {"id": "a"})
            assert response.json() == {"id": "a!"}
            assert response.headers["dynconnect-generation"] == "1"
            count += 1
            await asyncio.sleep(0)  # nothing in a call in memory waits for anything

    calls = asyncio.create_task(calling())
    live.reloader.request()
    news = await live.next(Refused)
    ended.set()
    await calls
    assert news.serving == 1
    assert live.server.generations.draining == ()
    return news.findings


async def mended(live):
    """Once the edit is undone, the next generation is as good as the first."""
    live.reloader.request()
    assert (await live.next(Swapped)).number == 2
    assert (await live.post(GET, {"id": "b"})).json() == {"id": "b!"}


def holds(check, finding):
    try:
        check(finding)
    except AssertionError:
        return False
    return True


async def refused_with(case, root, head):
    """*case* in the place of all plugins is refused with its finding, and mended by what was there."""
    async with reloading("shop.binpb", watch=False) as live:
        kept = root / "kept"
        (root / "plugins").rename(kept)
        (root / "plugins").mkdir()
        case.write(root / "plugins", head)
        findings = await refused(live)
        assert [finding for finding in findings if holds(case.check, finding)], findings
        shutil.rmtree(root / "plugins")
        kept.rename(root / "plugins")
        await mended(live)


@pytest.mark.parametrize("case", cases(TABLES / "handlers.txt"))
async def test_a_handler_that_does_not_fit_is_refused(project, case):
    await refused_with(case, project.root, HEAD)


@pytest.mark.parametrize("case", cases(TABLES / "modules.txt"))
async def test_a_module_that_does_not_load_is_refused(project, case):
    await refused_with(case, project.root, "")


def first_file(data, change):
    files = FileDescriptorSet.FromString(data)
    change(files.file[0])
    return files.SerializeToString()


def number_in_use(file):
    file.message_type[0].field[1].number = file.message_type[0].field[0].number


def reserved_in_use(file):
    file.message_type[0].reserved_range.add(start=1, end=2)


def no_such_type(file):
    file.message_type[0].field[0].type = file.message_type[0].field[0].TYPE_MESSAGE
    file.message_type[0].field[0].type_name = ".shop.v1.Nothing"


def no_such_input(file):
    file.service[0].method[0].input_type = ".shop.v1.Nothing"


def name_in_use(file):
    file.message_type.add(name=file.message_type[0].name)


def no_service(file):
    del file.service[:]


def renamed_method(file):
    file.service[0].method[0].name = "FetchOrder"


def streaming_method(file):
    file.service[0].method[0].server_streaming = True


def renamed_message(file):
    file.message_type.add(name="Other")
    for message in file.message_type:
        if message.name == "Order":
            message.name = "Purchase"
    for service in file.service:
        for method in service.method:
            method.input_type = method.output_type = ".shop.v1.Purchase"
    file.message_type[0].field[1].type_name = ".shop.v1.Purchase.Kind"
    file.message_type[0].field[2].type_name = ".shop.v1.Purchase.Item"


def unknown_edition(file):
    file.syntax, file.edition = "editions", 99999


PROTO_FILE, PLUGIN_FILE = "shop/v1/shop.proto", "plugins/orders.py"

SETS = [
    pytest.param(lambda data: b"", "shop.binpb", "is empty", id="empty"),
    pytest.param(lambda data: data[:-20], "shop.binpb", "truncated", id="truncated"),
    pytest.param(lambda data: gzip.compress(data)[:-20], "shop.binpb", "truncated", id="truncated gzip"),
    pytest.param(lambda data: b"\x1f\x8b" + data, "shop.binpb", "damaged gzip", id="no gzip"),
    pytest.param(lambda data: b"\x28\xb5\x2f\xfd" + data, "shop.binpb", "zstd", id="zstd"),
    pytest.param(lambda data: b'{"file": []}', "shop.binpb", "is JSON", id="JSON"),
    pytest.param(lambda data: b'file { name: "a" }', "shop.binpb", "text format", id="text format"),
    pytest.param(lambda data: b'syntax = "proto3";', "shop.binpb", ".proto source", id="source"),
    pytest.param(lambda data: b"\xff" * 100, "shop.binpb", "not a descriptor set", id="anything"),
    pytest.param(lambda data: first_file(data, number_in_use), PROTO_FILE, "number", id="number in use"),
    pytest.param(lambda data: first_file(data, reserved_in_use), f"{PROTO_FILE}:8", "reserved", id="kept"),
    pytest.param(lambda data: first_file(data, no_such_type), PROTO_FILE, "Nothing", id="no such type"),
    pytest.param(lambda data: first_file(data, no_such_input), PROTO_FILE, "Nothing", id="no such input"),
    pytest.param(lambda data: first_file(data, name_in_use), PROTO_FILE, "Order", id="name in use"),
    pytest.param(lambda data: first_file(data, unknown_edition), PROTO_FILE, "edition", id="edition"),
    pytest.param(
        lambda data: first_file(data, lambda file: file.dependency.append("a/b.proto")),
        "shop.binpb",
        "a/b.proto",
        id="missing import",
    ),
    pytest.param(
        lambda data: (
            data + FileDescriptorSet(file=[FileDescriptorProto(name=PROTO_FILE)]).SerializeToString()
        ),
        PROTO_FILE,
        "differs",
        id="two of one name",
    ),
    pytest.param(
        lambda data: first_file(data, no_service), f"{PLUGIN_FILE}:4", "no service", id="no service"
    ),
    pytest.param(
        lambda data: first_file(data, renamed_method), f"{PLUGIN_FILE}:6", "did you mean", id="method renamed"
    ),
    pytest.param(
        lambda data: first_file(data, streaming_method), f"{PLUGIN_FILE}:6", "must yield", id="method streams"
    ),
    pytest.param(
        lambda data: first_file(data, renamed_message),
        f"{PLUGIN_FILE}:2",
        "no shop.v1.Order",
        id="message renamed",
    ),
]


@pytest.mark.parametrize(("spoil", "where", "what"), SETS)
async def test_a_schema_that_is_wrong_or_no_longer_fits_is_refused(project, spoil, where, what):
    async with reloading("shop.binpb", watch=False) as live:
        project.schema(spoil(make_set()))
        findings = await refused(live)
        assert [one for one in findings if one.where == where and what in str(one)], findings
        project.schema(make_set())
        await mended(live)


def removed(root):
    (root / "shop.binpb").unlink()


def a_folder(root):
    (root / "shop.binpb").unlink()
    (root / "shop.binpb").mkdir()


def a_dangling_link(root):
    (root / "shop.binpb").unlink()
    (root / "shop.binpb").symlink_to("nowhere")


def no_plugins(root):
    (root / "plugins" / "orders.py").unlink()


def no_folder(root):
    shutil.rmtree(root / "plugins")


def a_file_for_a_folder(root):
    shutil.rmtree(root / "plugins")
    (root / "plugins").write_text("")


FILES = [
    pytest.param(removed, "shop.binpb", id="no set"),
    pytest.param(a_folder, "shop.binpb", id="a folder for a set"),
    pytest.param(a_dangling_link, "shop.binpb", id="a link to nothing"),
    pytest.param(no_plugins, "plugins", id="no plugins"),
    pytest.param(no_folder, "plugins", id="no folder of plugins"),
    pytest.param(a_file_for_a_folder, "plugins", id="a file for a folder of plugins"),
]


@pytest.mark.parametrize(("spoil", "where"), FILES)
async def test_files_that_are_missing_or_of_another_kind_are_refused(project, spoil, where):
    async with reloading("shop.binpb", watch=False) as live:
        spoil(project.root)
        assert [finding.where for finding in await refused(live)] == [where]


def test_there_are_sixty_kinds_and_more():
    tables = [cases(TABLES / name) for name in ("handlers.txt", "modules.txt")]
    assert sum(map(len, [*tables, SETS, FILES])) >= 60

"""What programs are told of a server: its methods, what binds them, and how the last reload went."""

from __future__ import annotations

import gc
import json
import weakref

import pytest
from support import schema
from support.handlers import HANDLERS
from support.shop import PROTO, make_set

from dynconnect.live.build import build
from dynconnect.live.news import Held, Mended, NotLoaded, Refused, Stale, Swapped, Unchanged, Undone
from dynconnect.schema.breaking import Breaking, Level
from dynconnect.schema.finding import Finding
from dynconnect.server.console.state import state_of
from dynconnect.server.feed import Feed

FINDING = Finding("test.py:3:1", "no RPC", "did you mean Echo?")
REFUSED = Refused(3, (FINDING,))


@pytest.fixture
def generation():
    return schema.generation({"Echo": HANDLERS["Echo"]}, number=3)


def told(generation, *news):
    feed = Feed()
    for each in news:
        feed.tell(each)
    return json.loads(json.dumps(state_of(generation, feed)))


def test_a_method_is_told_with_all_that_a_caller_must_know(generation):
    found = told(generation)
    assert (found["generation"], found["hash"], found["reload"], found["refused"]) == (3, "hash 3", None, [])
    methods = found["services"]["test.v1.Notes"]
    assert list(methods) == ["Echo", "Look", "Fail", "Count", "Sum", "Chat"]
    echo = methods["Echo"]
    assert echo.pop("digest")
    assert echo == {
        "path": "/test.v1.Notes/Echo",
        "request": "test.v1.Note",
        "response": "test.v1.Note",
        "clientStreaming": False,
        "serverStreaming": False,
        "noSideEffects": False,
        "deprecated": False,
        "boundBy": "test.py:1 Echo",
        "mock": False,
        "broken": False,
    }
    assert methods["Look"]["noSideEffects"]
    assert methods["Chat"]["boundBy"] is None


def test_a_refused_reload_is_told_with_its_findings(generation):
    found = told(generation, REFUSED)
    finding = {"where": "test.py:3:1", "what": "no RPC", "hint": "did you mean Echo?"}
    assert found["reload"] == {"kind": "refused", "serving": 3, "findings": [finding]}
    assert found["refused"] == [finding]
    methods = found["services"]["test.v1.Notes"]
    assert methods["Echo"]["broken"], "its file is the one with the finding"
    assert not methods["Chat"]["broken"]


@pytest.mark.parametrize(
    "news", [Stale(3, FINDING), NotLoaded(3, ("a.txt",)), Held(3, (1,)), Undone(3, None)]
)
def test_it_stays_refused_whatever_else_happens(generation, news):
    assert told(generation, REFUSED, news)["refused"]


@pytest.mark.parametrize("news", [Stale(3, FINDING), NotLoaded(3, ("a.txt",)), Held(3, (1,))])
def test_what_is_no_reload_is_not_told_as_the_last_one(generation, news):
    assert told(generation, REFUSED, news)["reload"]["kind"] == "refused"


BREAKING = Breaking(Level.WIRE, "FIELD_SAME_TYPE", "a.B", "is another", "a.proto:1")
SWAPPED = Swapped(4, ("a.py",), ("Echo changed",), (BREAKING,), 0.1)


@pytest.mark.parametrize("news", [SWAPPED, Mended(3), Unchanged(3, ("a.py",)), Undone(4, 2)])
def test_another_outcome_takes_its_place(generation, news):
    found = told(generation, REFUSED, news)
    assert found["refused"] == []
    assert found["reload"]["kind"] == type(news).__name__.lower()


def test_what_a_reload_breaks_is_told_in_words(generation):
    (breaking,) = told(generation, SWAPPED)["reload"]["breaking"]
    assert breaking == {
        "level": "wire",
        "rule": "FIELD_SAME_TYPE",
        "element": "a.B",
        "what": "is another",
        "where": "a.proto:1",
    }


PLUGIN = """\
from dynconnect import service

@service("shop.v1.Orders")
class Orders:
    async def get_order(self, request, ctx):
        return {"id": "1"}
"""

EDITS = [
    pytest.param({}, set(), id="nothing"),
    pytest.param({"plugin": PLUGIN + "# more\n"}, set(), id="a comment in a plugin"),
    pytest.param({"plugin": PLUGIN.replace('"1"', '"2"')}, {"GetOrder"}, id="a handler"),
    pytest.param({"plugin": PLUGIN.replace("get_order", "_get_order")}, {"GetOrder"}, id="a handler gone"),
]


@pytest.fixture
def digests(tmp_path):
    """Builds the generation of a plugin and a schema, and gives the digests of its methods."""

    def of(plugin=PLUGIN, proto=PROTO):
        (tmp_path / "orders.py").write_text(plugin)
        (tmp_path / "shop.binpb").write_bytes(make_set(proto))
        found = build([str(tmp_path / "shop.binpb")], [str(tmp_path / "orders.py")])
        methods = told(found)["services"]["shop.v1.Orders"]
        found.close()
        return {name: method["digest"] for name, method in methods.items()}

    return of


@pytest.mark.parametrize(("edit", "expected"), EDITS)
def test_a_digest_differs_once_a_call_may_come_to_something_else(digests, edit, expected):
    old, new = digests(), digests(**edit)
    assert {name for name in old if old[name] != new[name]} == expected


def test_it_keeps_no_schema(tmp_path):
    (tmp_path / "shop.binpb").write_bytes(make_set())
    generation = build([str(tmp_path / "shop.binpb")], [])
    assert told(generation)["services"]
    gone = weakref.ref(generation.schema)
    generation.close()
    del generation
    gc.collect()
    assert gone() is None


def test_a_digest_has_the_types_that_are_reached(digests):
    old, new = digests(), digests(proto=PROTO.replace("string id = 1;", "string id = 1; int32 n = 9;"))
    assert old["GetOrder"] != new["GetOrder"]

"""Examples of requests, and what is wrong with those that people write."""

from __future__ import annotations

import json

import pytest
from support import schema
from support.handlers import HANDLERS
from support.shop import make_schema

from dynconnect.live.generation import Generation, Route
from dynconnect.schema.json.options import JsonOptions
from dynconnect.server.console.requests import example, fault

PROTO = """\
syntax = "proto3";
package shop.v1;
import "google/protobuf/any.proto";
service Trees {
  rpc Plant(Tree) returns (Tree);
}
message Tree {
  string name = 1;
  repeated Tree branches = 2;
  map<string, int32> leaves = 3;
  map<string, Tree> by_name = 4;
  map<bool, int32> flags = 6;
  google.protobuf.Any held = 5;
}
"""


def generation(options=None):
    made = make_schema(PROTO)
    codecs = made.codecs_with(options or JsonOptions())
    routes = {path: Route.to(None, method, (), codecs) for path, method in made.methods.items()}
    return Generation(1, "", made, routes)


def plant(text, options=None):
    made = generation(options)
    return fault(made, "shop.v1.Trees/Plant", text.encode())


def test_an_example_is_brief_and_the_same_each_time():
    (route,) = generation().routes.values()
    found = json.loads(example(route))
    assert found == json.loads(example(route))
    assert len(found["leaves"]) == 1
    assert "branches" not in found, "no type is inside itself"
    assert route.codecs["json"].decode(example(route), route.method.input)


FAULTS = [
    pytest.param('{"name": 1}', "error", ["name"], False, "expected a string, got 1", id="a value"),
    pytest.param(
        '{"branches": [{}, {"name": 1}]}', "error", ["branches", 1, "name"], False, "a string", id="in a list"
    ),
    pytest.param('{"leaves": {"a b": "x"}}', "error", ["leaves", "a b"], False, "an integer", id="in a map"),
    pytest.param(
        '{"byName": {"1": {"nam": 1}}}', "warning", ["byName", "1", "nam"], True, "mean name?", id="a name"
    ),
    pytest.param('{"flags": {"maybe": 1}}', "error", ["flags", "maybe"], True, '"true"', id="a key"),
    pytest.param('{"flags": {"true": "x"}}', "error", ["flags", "true"], False, "an integer", id="not a key"),
    pytest.param("{", "error", [], False, "no JSON", id="no JSON"),
    pytest.param("", "error", [], False, "an empty message is {}", id="nothing"),
]


@pytest.mark.parametrize(("text", "level", "steps", "name", "what"), FAULTS)
def test_a_fault_is_told_with_its_place(text, level, steps, name, what):
    found = plant(text)
    assert (found["level"], found["steps"], found["name"]) == (level, steps, name)
    assert what in found["what"]


def test_all_may_be_well():
    assert plant('{"name": "oak", "leaves": {"a": 1}}') is None


def test_what_the_server_refuses_is_an_error():
    assert plant('{"nam": 1}', JsonOptions(strict=True))["level"] == "error"


def test_of_a_plain_schema_all_fields_are_filled():
    route = schema.generation(HANDLERS).routes["/test.v1.Notes/Echo"]
    assert set(json.loads(example(route))) == {"text", "number", "data"}

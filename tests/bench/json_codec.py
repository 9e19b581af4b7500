"""JSON of messages of a private pool, by our codec, json_format and protobuf-py, in microseconds a message.

    python tests/bench/json_codec.py [ROUNDS]

Small is a message of three fields, sparse one of 22 with two set, medium the same with all set, large a list
of 100 of those. Ours is the whole codec, as a call uses it: required fields, duplicate members and all. The
libraries take turns, and the best of their rounds counts; believe the ratios. protobuf-py has a JSON codec in
Rust for message classes of its own; it is left out where it is not installed (`pip install protobuf-py`).
"""

# ruff: noqa: T201  a command prints

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.protoc import compile_set

from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

PROTO = """
syntax = "proto3";
package bench;
import "google/protobuf/duration.proto";
import "google/protobuf/timestamp.proto";
enum Standing { STANDING_UNKNOWN = 0; STANDING_GOOD = 1; STANDING_BAD = 2; }
message Small { string name = 1; int64 id = 2; bool active = 3; }
message Place { string street = 1; string town = 2; string code = 3; double north = 4; double east = 5; }
message Customer {
  string id = 1;
  string name = 2;
  string email = 3;
  int32 age = 4;
  int64 account = 5;
  Standing standing = 6;
  repeated string tags = 7;
  map<string, string> labels = 8;
  map<int32, Place> places = 9;
  Place home = 10;
  google.protobuf.Timestamp since = 11;
  google.protobuf.Duration patience = 12;
  bytes picture = 13;
  double score = 14;
  float ratio = 15;
  optional string nickname = 16;
  oneof contact { string phone = 17; Place mail = 18; int64 pager = 19; }
  repeated int64 friends = 20;
  repeated Place former = 21;
  bool verified = 22;
}
message Customers { repeated Customer customers = 1; string next = 2; }
"""
WANTED = {"small": (4, 4), "sparse": (2, 4), "medium": (4, 4), "large": (4, 4)}
"""How many times json_format's speed ours is to have, writing and reading."""


def customer(number: int) -> dict:
    return {
        "id": f"customer-{number}",
        "name": "Ada Lovelace é",
        "email": "ada@example.com",
        "age": 36,
        "account": 9007199254740993,
        "standing": 1,
        "tags": ["a", "b", "ccc"],
        "labels": {"one": "1", "two": "2"},
        "places": {1: {"street": "S", "town": "T"}, 2: {"code": "C", "north": 1.5}},
        "home": {"street": "1 Main", "town": "X", "code": "123", "north": 12.25, "east": -3.5},
        "since": {"seconds": 1700000000, "nanos": 123000000},
        "patience": {"seconds": 30},
        "picture": b"\x00\x01\x02\xff" * 8,
        "score": 0.25,
        "ratio": 0.1,
        "nickname": "al",
        "phone": "555",
        "friends": [1, 2, 3, 1 << 60],
        "former": [{"street": "a", "town": "b"}, {"street": "c", "north": 1.0}],
        "verified": True,
    }


def race(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The best time of each of *calls*, in microseconds."""
    counts = {name: _enough(call) for name, call in calls.items()}
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            for _ in range(counts[name]):
                call()
            best[name] = min(best[name], (time.perf_counter() - began) / counts[name] * 1e6)
    return best


def _enough(call: Callable[[], object]) -> int:
    """How many calls take 5 ms."""
    count = 1
    while True:
        began = time.perf_counter()
        for _ in range(count):
            call()
        if time.perf_counter() - began > 0.005:
            return count
        count *= 2


def registry(data: bytes) -> object | None:
    """The types of protobuf-py; None without it."""
    try:
        from protobuf.wkt import FileDescriptorSet as Files
    except ImportError:
        return None
    return Files.from_binary(data).to_registry()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    data = compile_set({"bench.proto": PROTO})
    files = FileDescriptorSet.FromString(data).file
    schema = Schema([Source("bench", tuple(file.SerializeToString() for file in files))])
    codec, others = schema.codecs["json"], registry(data)
    make = {name: schema.message_class(f"bench.{name}") for name in ("Small", "Customer", "Customers")}
    cases = {
        "small": make["Small"](name="ada", id=123456789012, active=True),
        "sparse": make["Customer"](id="c", email="ada@example.com"),
        "medium": make["Customer"](**customer(0)),
        "large": make["Customers"](customers=[customer(number) for number in range(100)], next="t"),
    }
    missed = []
    print(f"{'':8}{'':8}{'bytes':>8}{'ours':>10}{'json_format':>22}{'protobuf-py':>22}")
    for case, message in cases.items():
        cls, text = type(message), codec.encode(message)
        writes = {
            "ours": lambda message=message: codec.encode(message),
            "json_format": lambda message=message: json_format.MessageToJson(message, indent=None),
        }
        reads = {
            "ours": lambda text=text, cls=cls: codec.decode(text, cls),
            "json_format": lambda text=text, cls=cls: json_format.Parse(
                text, cls(), ignore_unknown_fields=True
            ),
        }
        if others is not None:
            other = others.message(cls.DESCRIPTOR.full_name).type
            theirs = other.from_binary(message.SerializeToString())
            writes["protobuf-py"] = lambda theirs=theirs: theirs.to_json()
            reads["protobuf-py"] = lambda text=text, other=other: other.from_json(
                text, ignore_unknown_fields=True
            )
        for side, (way, calls) in enumerate({"write": writes, "read": reads}.items()):
            took = race(calls, rounds)
            ours = took.pop("ours")
            ratios = "".join(f"{each:12.2f} ({each / ours:5.1f} x)" for each in took.values())
            print(f"{case:8}{way:8}{len(text):8}{ours:10.2f}{ratios}", flush=True)
            if took["json_format"] / ours < WANTED[case][side]:
                missed.append(f"{case} {way}: less than {WANTED[case][side]} times json_format")
            if case == "medium" and took.get("protobuf-py", ours) * 2 < ours:
                missed.append(f"{case} {way}: more than 2 times protobuf-py")
    print("\n".join(missed) or "all as fast as they are to be")


if __name__ == "__main__":
    main()

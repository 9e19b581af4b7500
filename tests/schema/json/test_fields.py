from __future__ import annotations

import pytest
from support import json_fuzz
from support.shop import make_schema

from dynconnect.schema.json.fields import descriptor_of, may_lack, reachable, type_name


@pytest.mark.parametrize("url", ["a.B", "/a.B", "type.googleapis.com/a.B", "x/y/z/a.B"])
def test_a_type_url_ends_in_the_name(url):
    assert type_name(url) == "a.B"


def test_all_types_that_may_be_in_a_message_are_reachable_and_each_is_told_once():
    old = descriptor_of(json_fuzz.schema().message_class("fuzz.old.Old"))
    assert [found.name for found in reachable(old)] == ["Old", "NamedEntry", "Part"]
    seen = {old}
    assert list(reachable(old, seen)) == []
    assert seen == {old}


@pytest.mark.parametrize(
    ("declared", "lacks"),
    [
        ("message M { optional int32 a = 1; }", False),
        ("message M { required int32 a = 1; }", True),
        ("message N { required int32 a = 1; } message M { map<string, N> n = 1; }", True),
        ("message M { optional M m = 1; }", False),
        ("message M { extensions 100 to 200; }", True),
    ],
)
def test_a_message_may_lack_what_is_required_anywhere_in_it(declared, lacks):
    schema = make_schema(f'syntax = "proto2"; {declared}')
    assert may_lack(descriptor_of(schema.message_class("M"))) is lacks

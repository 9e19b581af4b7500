from __future__ import annotations

import pytest

from dynconnect.schema.finding import Finding, FindingsError, SchemaError, nearest


def test_a_finding_says_where_what_and_what_to_do():
    assert str(Finding("a.proto:3", "is odd", "mend it")) == "a.proto:3: is odd; mend it"


def test_a_finding_without_a_hint_ends_with_what_is_wrong():
    assert str(Finding("a.proto", "is odd")) == "a.proto: is odd"


def test_an_error_says_every_finding_on_a_line_of_its_own():
    error = SchemaError(Finding(name, "is odd") for name in ("a", "b"))
    assert isinstance(error, FindingsError)
    assert str(error) == "a: is odd\nb: is odd"
    assert [finding.where for finding in error.findings] == ["a", "b"]


NEAR = [
    pytest.param("Sya", ["Say", "Converse"], "Say", id="transposed"),
    pytest.param("say", ["Say", "Converse"], "Say", id="another case"),
    pytest.param("LISTORDERS", ["list_orders", "get"], "list_orders", id="capitals"),
    pytest.param("Introduce", ["Say", "Converse"], None, id="nothing close"),
    pytest.param("Say", [], None, id="nothing at all"),
    pytest.param(
        "shop.v1.Order", ["shop.v1.Orders", "shop.v2.Orders"], "shop.v1.Orders", id="closest of two"
    ),
]


@pytest.mark.parametrize(("name", "candidates", "expected"), NEAR)
def test_the_nearest_name_is_the_one_that_was_meant(name, candidates, expected):
    assert nearest(name, candidates) == expected

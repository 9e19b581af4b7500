"""The explorer of a schema that has everything that programs stumble over."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from support.pages import editor, outcome, send
from support.serving import program


@pytest.fixture(scope="module")
def nasty():
    with program("dev", Path(__file__).with_name("nasty.proto"), "--port", "0") as server:
        yield server.url


EXAMPLES = {"constructor": '"toString": "amber"', "valueOf": '"alias"', "isPrototypeOf": r"^\{\}$"}


def opened(page, url, method):
    """Open the explorer with *method*, and wait for its example, which would replace what is typed before."""
    page.goto(f"{url}/#/toString/{method}")
    expect(page.locator("#title")).to_have_text(method)
    expect(editor(page)).to_have_value(re.compile(EXAMPLES[method]))


@pytest.mark.parametrize("method", list(EXAMPLES))
def test_every_example_is_right_and_is_answered(page, nasty, method):
    example = httpx.get(f"{nasty}/-/example/toString/{method}").text
    checked = httpx.post(f"{nasty}/-/check/toString/{method}", content=example)
    assert checked.json() == {"fault": None}
    opened(page, nasty, method)
    send(page)
    expect(outcome(page)).to_have_text(re.compile("^ok .* mock$"))


COMPLETED = [
    ("constructor", '{"to', '{"toString": ""'),
    ("constructor", '{"__', '{"Proto": {}'),  # as protoc writes that name in JSON
    ("valueOf", '{"grou', '{"grouped": {}'),
    ("valueOf", '{"alias": "J', '{"alias": "JA"'),
    ("valueOf", '{"flags": {"true": "BEL', '{"flags": {"true": "BELOW"'),
    ("valueOf", '{"mask', '{"mask": "name"'),
    ("valueOf", '{"large', '{"large": ""'),
]


@pytest.mark.parametrize(("method", "typed", "expected"), COMPLETED)
def test_names_are_completed_whatever_they_are(page, nasty, method, typed, expected):
    opened(page, nasty, method)
    editor(page).fill(typed[:-1])
    editor(page).press("End")
    editor(page).press_sequentially(typed[-1])
    expect(page.get_by_role("listbox").get_by_role("option")).not_to_have_count(0)
    editor(page).press("Enter")
    expect(editor(page)).to_have_value(expected)


@pytest.mark.parametrize("hash_", ["#/toString/nothing", "#/valueOf/call", "#/x.Y/z", "#/toString/__proto__"])
def test_a_method_that_is_not_there_is_said_to_be_missing(page, nasty, hash_):
    page.goto(f"{nasty}/{hash_}")
    expect(page.locator("#empty")).to_have_text(f"There is no method {hash_[2:]}.")
    expect(page.locator("#method")).to_be_hidden()

"""The explorer's own reader of JSON, held to the browser's."""

from __future__ import annotations

import random

import pytest

PIECES = ["{", "}", "[", "]", ",", ":", '"a"', '"b\\n"', "1", "-2.5e3", "true", "null", " ", "\n", '"']
PIECES += ["\\", "x", '"é☃"', "01", "1.", "-", ".5", '"\\u12"']
DOCUMENT = '{"a": [1, {"b": "c\\"d"}], "x": {"y": null, "z": [[], {}]}}'

AGREES = """async (texts) => {
  const { read, pretty, compact } = await import("/-/explorer/json_text.js");
  const value = (text) => { try { return JSON.stringify(JSON.parse(text)); } catch { return null; } };
  return texts.filter((text) => {
    const meant = value(text);
    if (meant === null) return read(text).error === null;
    return read(text).error !== null || value(pretty(text)) !== meant || value(compact(text)) !== meant;
  });
}"""


def made(seed):
    """Texts that are JSON, nearly so, and not at all."""
    chance = random.Random(seed)  # noqa: S311  nothing secret comes of it
    for _ in range(5000):
        yield "".join(chance.choices(PIECES, k=chance.randint(1, 7)))
        at = chance.randrange(len(DOCUMENT))
        yield DOCUMENT[:at] + chance.choice(["", *PIECES]) + DOCUMENT[at + chance.randint(0, 1) :]


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_wrong_what_the_browser_does_and_changes_no_value(page, url, seed):
    page.goto(url)
    texts = list(made(seed))
    assert page.evaluate(AGREES, [DOCUMENT, '{"a"}']) == []
    assert page.evaluate(AGREES, texts) == []


CARETS = [
    ('{"a": {|', "key", ["a"], ""),
    ('{"a": {"|', "key", ["a"], ""),
    ('{"a": {"bc|d": 1}}', "key", ["a"], "bc"),
    ('{"a": [{"b": 1}, {"c": |', "value", ["a", 1, "c"], ""),
    ('{"a": "ST|', "value", ["a"], "ST"),
    ("{tr|", "key", [], "tr"),
    ('{"a": tr|', "value", ["a"], "tr"),
    ('{"a": 1|}', None, None, None),
    ('{"a"| ', None, None, None),
    ("{}|", None, None, None),
]


@pytest.mark.parametrize(("text", "wants", "steps", "typed"), CARETS)
def test_it_knows_what_the_caret_is_in(page, url, text, wants, steps, typed):
    page.goto(url)
    ask = 'async ([text, at]) => (await import("/-/explorer/json_text.js")).context(text, at)'
    found = page.evaluate(ask, [text.replace("|", ""), text.index("|")])
    if wants is None:
        assert found is None
    else:
        assert (found["wants"], found["steps"], found["typed"]) == (wants, steps, typed)

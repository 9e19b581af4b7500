from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from support.bad_plugins import cases
from support.shop import shop

from dynconnect.live.build import draft
from dynconnect.plugins.locate import PluginError
from dynconnect.plugins.resources import resources_of

HEAD = "from dynconnect import resource, rpc, service\n"


@pytest.fixture
def found(load, folder):
    """The resources in the text of one plugin."""

    def found(text):
        (folder / "a.py").write_text(HEAD + textwrap.dedent(text))
        return resources_of(load())

    return found


@pytest.mark.parametrize("case", cases(Path(__file__).with_name("bad") / "resources.txt"))
def test_what_does_not_fit_is_found_with_its_place_and_nothing_is_set_up(load, folder, case):
    case.write(folder, HEAD)
    with pytest.raises(PluginError) as caught:
        draft(shop(), load())
    (finding,) = caught.value.findings
    case.check(finding)


def test_each_stands_behind_what_it_needs_and_those_of_the_process_come_first(found):
    resources, findings = found("""\
        @resource
        def c(b, missing=1): ...
        @resource
        def b(z): ...
        @resource(scope="process")
        def z(y=None): ...
        @resource(scope="process")
        def y(settings): ...
        """)
    assert [(resource.name, resource.process) for resource in resources] == [
        ("y", True), ("z", True), ("b", False), ("c", False)
    ]  # fmt: skip
    assert findings == ()


def test_every_circle_is_told_with_all_that_is_in_it(found):
    _, findings = found("""\
        @resource
        def a(b): ...
        @resource
        def b(c): ...
        @resource
        def c(a): ...
        @resource
        def d(e): ...
        @resource
        def e(d): ...
        @resource
        def outside(a, d): ...
        """)
    texts = sorted(str(finding) for finding in findings)
    assert len(texts) == 2
    assert all(f"{name} (plugins/a.py:" in texts[0] for name in "abc")
    assert all(f"{name} (plugins/a.py:" in texts[1] for name in "de")
    assert "outside" not in "".join(texts)
    # Each is followed by the one that it needs.
    at = {name: texts[0].index(f"{name} (") for name in "abc"}
    assert sorted("abc", key=at.get) in (["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"])


def test_a_resource_says_where_it_is_and_what_it_asks_for(found):
    (one,), _ = found("""\
        from contextlib import asynccontextmanager

        @resource(scope="process")
        @asynccontextmanager
        async def db(settings, *more, key=None, **others):
            yield
        """)
    assert (one.name, one.process, one.wants) == ("db", True, ("settings", "key"))
    assert one.where == "plugins/a.py:4"
    assert one.key == (str(Path("plugins/a.py").absolute()), "db")


def test_names_that_may_be_in_a_broken_module_are_not_called_missing(load, folder):
    (folder / "a.py").write_text(HEAD + '@service("shop.v1.Orders")\nclass A:\n  def __init__(self, db): ...')
    (folder / "b.py").write_text(HEAD + "@resource\ndef cache(db): ...\n")
    (folder / "c.py").write_text(HEAD + "@resource\ndef db(): ...\n1 / 0\n")
    with pytest.raises(PluginError) as caught:
        draft(shop(), load())
    assert [finding.where for finding in caught.value.findings] == ["plugins/c.py:4"]

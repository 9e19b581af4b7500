from __future__ import annotations

import functools
import sys
from pathlib import Path

from dynconnect.plugins.places import innermost, last_frame, own_frame, place_of, shown


def function():
    pass


def test_a_path_is_shown_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "plugins" / "a.py") == str(Path("plugins", "a.py"))
    assert shown(tmp_path.parent / "b.py") == str(tmp_path.parent / "b.py")
    assert shown("a.py") == "a.py"


def test_the_innermost_is_what_the_author_wrote():
    class C:
        method = functools.partialmethod(function, 1)

    @functools.wraps(function)
    def wrapper():
        pass

    for value in (
        function,
        wrapper,
        functools.partial(function, 1),
        staticmethod(function),
        classmethod(function),
    ):
        assert innermost(value) is function
    assert innermost(vars(C)["method"]) is function
    assert innermost(functools.partial(wrapper)) is function


def test_wraps_that_go_in_circles_come_to_an_end():
    def one():
        pass

    def two():
        pass

    one.__wrapped__, two.__wrapped__ = two, one
    assert innermost(one) in (one, two)


def test_the_place_of_a_method_is_its_definition():
    class C:
        def method(self):
            pass

    line = C.method.__code__.co_firstlineno
    assert place_of(C().method).endswith(f"test_places.py:{line}")
    assert place_of(print) is None
    assert place_of(3) is None


def test_frames_of_an_exception():
    try:
        exec(compile("def f():\n    raise KeyError\n", "plugin.py", "exec"), names := {})  # noqa: S102  it stands for a plugin
        names["f"]()
    except KeyError:
        traceback = sys.exc_info()[2]
    assert last_frame(traceback) == ("plugin.py", 2)
    assert own_frame(traceback, {"plugin.py", __file__}) == ("plugin.py", 2)
    assert own_frame(traceback, {__file__})[0] == __file__
    assert own_frame(traceback, {"other.py"}) is None
    assert own_frame(None, {"plugin.py"}) is None
    assert last_frame(None) is None

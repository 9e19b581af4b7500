from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import textwrap
import types

import pytest
from support.shop import shop

from dynconnect.plugins.handles import running
from dynconnect.plugins.space import Space, public


@pytest.fixture
def space(folder):
    made = []

    def space(generation=9001):  # no other test comes so far
        made.append(Space(generation))
        return made[-1]

    yield space
    for each in made:
        each.close()


def run(space, folder, name):
    return importlib.import_module(f"{space.add_folder(folder)}.{name}")


def test_every_generation_executes_anew(space, folder, write):
    write(a="class A: pass")
    one, two = run(space(9001), folder, "a"), run(space(9002), folder, "a")
    assert one.A is not two.A
    assert (one.__name__, two.__name__) == (
        "dynconnect_plugins_g9001.plugins.a",
        "dynconnect_plugins_g9002.plugins.a",
    )
    assert sys.modules[one.A.__module__] is one


def test_two_servers_of_one_process_may_both_be_at_one_generation(space):
    assert [space(9001).name, space(9001).name, space(9001).name] == [
        "dynconnect_plugins_g9001",
        "dynconnect_plugins_g9001_2",
        "dynconnect_plugins_g9001_3",
    ]


def test_folders_of_one_name_are_kept_apart(space, folder, write):
    write(x__in__p__in__a="V = 'x'", y__in__p__in__a="V = 'y'")
    each = space()
    assert run(each, folder / "x" / "p", "a").V == "x"
    assert run(each, folder / "y" / "p", "a").V == "y"


WAYS = [
    pytest.param("import helper\nV = helper.V", id="import of a neighbour"),
    pytest.param("from helper import V", id="from a neighbour"),
    pytest.param("import helper as h\nV = h.V", id="import as"),
    pytest.param("from . import helper\nV = helper.V", id="relative import of a module"),
    pytest.param("from .helper import V", id="relative import from a module"),
    pytest.param("from pack import V", id="a package beside it"),
    pytest.param("import pack.deep\nV = pack.deep.V", id="a module of a package"),
    pytest.param("import pack.deep as d\nV = d.V", id="a module of a package by another name"),
    pytest.param("from pack.deep import V", id="from a module of a package"),
    pytest.param("from pack import deep\nV = deep.V", id="a module from a package"),
    pytest.param("from loose.inside import V", id="a folder that is no package"),
    pytest.param("import loose.inside\nV = loose.inside.V", id="import of one in there"),
    pytest.param(
        "def late():\n    import helper\n    return helper.V\nV = late()", id="import in a function"
    ),
    pytest.param(
        "import importlib\nV = importlib.import_module('.helper', __package__).V", id="by importlib"
    ),
]


@pytest.mark.parametrize("text", WAYS)
def test_a_helper_is_imported_in_every_usual_way_and_is_fresh(space, folder, write, text):
    files = {
        "helper": "V = {}",
        "pack__in____init__": "V = {}",
        "pack__in__deep": "V = {}",
        "loose__in__inside": "V = {}",
    }
    write(a=text, **{name: value.format(1) for name, value in files.items()})
    one = run(space(9001), folder, "a")
    write(**{name: value.format(2) for name, value in files.items()})
    two = run(space(9002), folder, "a")
    assert (one.V, two.V) == (1, 2)
    assert not {"helper", "pack", "loose"} & set(sys.modules)


def test_a_neighbour_is_one_module_however_it_is_imported(space, folder, write):
    write(
        helper="",
        a="import helper\nfrom . import helper as relative\nfrom b import helper as same",
        b="import helper",
    )
    module = run(space(), folder, "a")
    assert module.helper is module.relative is module.same


def test_modules_may_import_each_other(space, folder, write):
    write(a="import b\nV = 1\ndef f(): return b.V", b="import a\nV = 2\ndef f(): return a.V")
    module = run(space(), folder, "a")
    assert (module.f(), module.b.f()) == (2, 1)


def test_from_a_folder_below_the_neighbours_and_those_above_are_found(space, folder, write):
    write(top="V = 1", sub__in__near="V = 2", sub__in__a="import near, top\nfrom .. import top as above")
    module = run(space(), folder, "sub.a")
    assert (module.near.V, module.top.V, module.above is module.top) == (2, 1, True)


def test_inside_a_package_a_plain_name_is_no_neighbour_as_ever_in_python(space, folder, write):
    write(pack__in____init__="", pack__in__near="", pack__in__a="import near")
    with pytest.raises(ModuleNotFoundError, match="No module named 'near'"):
        run(space(), folder, "pack.a")


def test_inside_a_package_its_own_name_and_its_neighbours_are_found(space, folder, write):
    write(
        pack__in____init__="",
        pack__in__near="V = 1",
        helper="V = 2",
        pack__in__a="import helper\nfrom pack.near import V",
    )
    module = run(space(), folder, "pack.a")
    assert (module.V, module.helper.V) == (1, 2)


def test_what_is_installed_comes_before_a_neighbour_and_stays_imported(space, folder, write):
    write(json="V = 1", colorsys="V = 1", a="import json, colorsys\nfrom . import json as own")
    module = run(space(), folder, "a")
    assert module.json is importlib.import_module("json")
    assert module.colorsys is importlib.import_module("colorsys")
    assert module.own.V == 1


def test_a_neighbour_is_fresh_even_where_python_finds_it_itself(space, folder, write, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    write(helper="V = 1", a="import helper")
    module = run(space(), folder, "a")
    assert module.helper.__name__ == "dynconnect_plugins_g9001.plugins.helper"
    assert "helper" not in sys.modules


def test_a_stray_folder_on_the_path_does_not_hide_a_neighbour(space, folder, write, monkeypatch):
    (folder.parent / "helper").mkdir()
    monkeypatch.syspath_prepend(str(folder.parent))
    write(helper="V = 1", a="import helper")
    assert run(space(), folder, "a").helper.V == 1


def test_modules_of_the_working_directory_are_found_and_fresh(space, folder, write):
    (folder.parent / "myapp").mkdir()
    (folder.parent / "myapp" / "__init__.py").write_text("from myapp.db import V")
    (folder.parent / "myapp" / "db.py").write_text("V = 1")
    write(a="import myapp.db", sub__in____init__="", sub__in__b="from myapp import V")
    each = space()
    assert run(each, folder, "a").myapp.db.V == run(each, folder, "sub.b").V == 1
    (folder.parent / "myapp" / "db.py").write_text("V = 2")
    assert run(space(), folder, "a").myapp.db.V == 2
    assert "myapp" not in sys.modules


def test_what_the_process_has_imported_from_there_itself_is_shared(space, folder, write, monkeypatch):
    (folder.parent / "myapp.py").write_text("")
    monkeypatch.syspath_prepend(str(folder.parent))
    write(a="import myapp")
    shared = importlib.import_module("myapp")
    try:
        assert run(space(), folder, "a").myapp is shared
    finally:
        del sys.modules["myapp"]


def test_a_module_without_a_spec_is_shared_too(space, folder, write, monkeypatch):
    made = types.ModuleType("helper")
    monkeypatch.setitem(sys.modules, "helper", made)
    write(helper="", a="import helper")
    assert run(space(), folder, "a").helper is made


def test_files_beside_a_module_are_found_as_resources(space, folder, write):
    text = "from importlib.resources import files\nTEXT = (files(__package__) / 'x.txt').read_text()"
    write(a=text, pack__in____init__=text)
    (folder / "x.txt").write_text("beside")
    (folder / "pack" / "x.txt").write_text("inside")
    assert (run(space(), folder, "a").TEXT, run(space(), folder, "pack").TEXT) == ("beside", "inside")


def test_of_an_installed_folder_one_package_is_private_and_fresh_for_all_plugins(
    space, folder, write, monkeypatch
):
    site = folder.parent / "site"
    for name, text in {"acme/__init__.py": "", "acme/db.py": "V = 1", "other.py": "V = 1"}.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    (site / "acme" / "plugin.py").write_text(
        "from acme import db\nimport acme.db\nimport other\nfrom . import db as own"
    )
    monkeypatch.syspath_prepend(str(site))
    write(a="from acme.db import V\nimport acme.plugin as plugin")
    each = space()
    top = each.add_package("acme", site)
    assert top == each.add_package("acme", site)
    plugin = importlib.import_module(f"{top}.acme.plugin")
    assert plugin.db is plugin.acme.db is plugin.own
    assert run(each, folder, "a").plugin is plugin
    assert plugin.other is sys.modules.pop("other")
    assert "acme" not in sys.modules
    assert public(plugin.__name__) == "acme.plugin"


def test_beside_a_private_package_nothing_else_is_private(space, folder, write):
    write(acme="V = 1", other="V = 1")
    top = space().add_package("acme", folder)
    assert importlib.import_module(f"{top}.acme").V == 1
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"{top}.other")


def test_an_edit_within_one_second_and_of_one_size_is_seen(space, folder, write):
    write(a="V = 1")
    one = run(space(9001), folder, "a")
    write(a="V = 2")
    assert (one.V, run(space(9002), folder, "a").V) == (1, 2)
    assert not list(folder.rglob("*.pyc"))


def test_what_was_executed_is_known_with_its_hash(space, folder, write):
    write(a="import helper", helper="", unused="")
    each = space()
    run(each, folder, "a")
    assert {file.name: name for file, (name, _) in each.sources.items()} == {
        "a.py": "a",
        "helper.py": "helper",
    }
    assert each.sources[folder / "helper.py"][1].hex().startswith("e3b0c44298fc")


def test_names_in_texts_are_those_that_the_author_knows():
    assert public("No module named 'dynconnect_plugins_g1.plugins.helper.x'") == "No module named 'helper.x'"
    assert public("from 'dynconnect_plugins_g1_2.plugins'") == "from 'plugins'"
    assert public("a.dynconnect_plugins_g1") == "a.dynconnect_plugins_g1"


def test_a_closed_space_leaves_nothing_behind(space, folder, write):
    write(a="import helper, logging\nlogging.getLogger(__name__ + '.x')", helper="")
    each = space()
    module = run(each, folder, "a")
    assert any(name.startswith(each.name) for name in logging.Logger.manager.loggerDict)
    each.close()
    each.close()
    assert not [name for name in sys.modules if name.startswith(each.name)]
    assert not [name for name in logging.Logger.manager.loggerDict if name.startswith(each.name)]
    assert module.helper.__name__ == "dynconnect_plugins_g9001.plugins.helper"


def test_closing_one_generation_leaves_the_others(space, folder, write):
    write(a="def late():\n    import helper\n    return helper", helper="")
    ten, one = space(90010), space(9001)
    module = run(ten, folder, "a")
    one.close()
    assert module.late() is sys.modules["dynconnect_plugins_g90010.plugins.helper"]


def test_after_closing_a_late_import_fails_as_imports_do(space, folder, write):
    write(a="def late():\n    import helper", helper="")
    each = space()
    module = run(each, folder, "a")
    each.close()
    with pytest.raises(ModuleNotFoundError):
        module.late()


def test_a_failed_module_is_not_kept(space, folder, write):
    write(a="1 / 0")
    each = space()
    with pytest.raises(ZeroDivisionError):
        run(each, folder, "a")
    assert f"{each.name}.plugins.a" not in sys.modules


def test_the_source_is_there_for_tools(space, folder, write):
    write(a="V = 'ü'", pack__in____init__="")
    each = space()
    module = run(each, folder, "a")
    assert module.__loader__.get_source(module.__name__) == "V = 'ü'"
    assert not module.__loader__.is_package(module.__name__)
    assert run(each, folder, "pack").__loader__.is_package("pack")
    assert importlib.util.find_spec(module.__name__).origin == str(folder / "a.py")
    assert module.__file__ == str(folder / "a.py")


def test_things_that_look_at_a_class_s_module_work(space, folder, write):
    text = """
    from __future__ import annotations
    import dataclasses, enum, typing
    from helper import T

    @dataclasses.dataclass
    class Row:
        x: T
        y: typing.ClassVar[int] = 1

    HINTS = typing.get_type_hints(Row)
    """
    write(a=textwrap.dedent(text), helper="T = int")
    module = run(space(), folder, "a")
    assert module.HINTS["x"] is int
    assert [field.name for field in module.dataclasses.fields(module.Row)] == ["x"]


def test_a_package_that_the_schema_lost_cannot_be_imported_though_it_was_before(space, folder, write):
    write(a="import dynconnect_types.shop.v1", b="import dynconnect_types.gone.v1")
    with running(shop()):
        sys.modules["dynconnect_types.gone"] = sys.modules["dynconnect_types.gone.v1"] = sys
        try:
            assert run(space(), folder, "a").dynconnect_types.shop.v1.Color.BLUE == 1
            with pytest.raises(ModuleNotFoundError, match=r"the schema has no package gone\.v1"):
                run(space(), folder, "b")
        finally:
            del sys.modules["dynconnect_types.gone"], sys.modules["dynconnect_types.gone.v1"]


def test_what_is_not_private_is_left_to_python(folder):
    assert importlib.util.find_spec("dynconnect_plugins_g0") is None
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("dynconnect_plugins_g0.plugins.a")

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest
from support.shop import shop

from dynconnect.plugins import discovery
from dynconnect.plugins.discovery import check_syntax, discover

SERVICE = """
from dynconnect import service

@service("shop.v1.Orders")
class {}:
    pass
"""


def names(plugins):
    return [found.value.__name__ for found in plugins.found]


def texts(plugins):
    return [str(finding) for finding in plugins.findings]


def test_marked_objects_come_in_the_order_of_files_and_definition(load, write):
    marked = 'from dynconnect import rpc\n@rpc("a.B/C")\ndef {}(): pass\n@rpc("a.B/C")\ndef {}(): pass\n'
    write(b=marked.format("b2", "b1"), a=marked.format("a2", "a1"), c__in__x=marked.format("x2", "x1"))
    plugins = load()
    assert names(plugins) == ["a2", "a1", "b2", "b1", "x2", "x1"]
    assert plugins.findings == ()


def test_a_mark_stands_at_its_file_and_line(load, write):
    write(a=SERVICE.format("A"))
    (found,) = load().found
    assert (found.where, found.mark.target, found.installed) == ("plugins/a.py:4", "shop.v1.Orders", False)


def test_paths_keep_the_order_in_which_they_are_given(load, write):
    write(a=SERVICE.format("A"), b=SERVICE.format("B"))
    assert names(load("plugins/b.py", "plugins/a.py")) == ["B", "A"]


def test_a_handler_that_several_modules_import_is_found_once(load, write):
    write(a="from b import B", b=SERVICE.format("B"), c="import b\nfrom b import B as Again")
    assert names(load()) == ["B"]


def test_a_file_that_two_paths_name_is_executed_once(load, write):
    write(x__in__a=SERVICE.format("A"))
    plugins = load("plugins/x/a.py", "plugins", "plugins/x")
    assert names(plugins) == ["A"]
    assert plugins.findings == ()


def test_helpers_need_no_mark_but_some_module_does(load, write):
    write(a=SERVICE.format("A"), helper="V = 1")
    assert load().findings == ()
    assert texts(load("plugins/helper.py")) == [
        "plugins/helper.py: there is nothing marked @service, @rpc, @interceptor or @resource in it; "
        'put @service("package.Service") on a class'
    ]


def test_a_class_that_looks_like_a_service_is_suggested(load, write):
    write(a="class Ordrs: pass\nclass _Other: pass")
    (text,) = texts(load())
    assert text.endswith('did you mean @service("shop.v1.Orders") on class Ordrs?')


def test_a_method_marked_like_a_function_is_a_finding(load, write):
    write(
        a="""\
        from dynconnect import rpc, service
        @service("shop.v1.Orders")
        class A:
            @rpc("shop.v1.Orders/GetOrder")
            async def get(self, request, ctx): pass
        """
    )
    assert texts(load()) == [
        "plugins/a.py:4: @rpc marks functions, and A.get is a method; "
        '@service("package.Service") on the class binds its methods by their names'
    ]


def test_an_edit_of_a_helper_changes_the_hash_and_a_new_folder_does_not(load, write, folder):
    write(a=SERVICE.format("A") + "import helper", helper="V = 1")
    first = load()
    assert first.hash == load(generation=2).hash
    write(helper="V = 2")
    assert load().hash != first.hash
    write(helper="V = 1")
    folder.rename(folder.parent / "other")
    assert load("other").hash == first.hash
    assert [file.name for file in first.files] == ["a.py", "helper.py"]


def test_closed_plugins_are_out_of_sys_modules(load, write):
    write(a=SERVICE.format("A"))
    plugins = load()
    name = plugins.found[0].value.__module__
    assert name in sys.modules
    plugins.close()
    assert name not in sys.modules


def test_names_of_the_schema_are_those_of_the_loading_one(load, write):
    write(a=SERVICE.format("A") + "from dynconnect_types.shop.v1 import Order, BLUE\nDEFAULT = Order(id='x')")
    plugins = load()
    assert plugins.findings == ()
    module = sys.modules[plugins.found[0].value.__module__]
    assert type(module.DEFAULT) is shop().message_class("shop.v1.Order")
    assert module.BLUE == 1


def test_every_broken_module_is_found_and_the_others_are_loaded(load, write):
    write(a="def f(:", b=SERVICE.format("B"), c="1 / 0", d="import nothing_like_it", e=SERVICE.format("E"))
    plugins = load("plugins", "missing", "plugins/a.py")
    assert names(plugins) == ["B", "E"]
    assert [finding.where for finding in plugins.findings] == [
        "plugins/a.py:1",
        "plugins/c.py:1",
        "plugins/d.py:1",
        "missing",
    ]


def test_a_module_that_two_others_import_is_at_fault_once(load, write):
    write(a="import helper", b="import helper", helper="1 / 0")
    assert [finding.where for finding in load().findings] == ["plugins/helper.py:1"]


class TestEntryPoints:
    @pytest.fixture
    def site(self, tmp_path, monkeypatch, folder):
        site = tmp_path / "site"
        (site / "acme").mkdir(parents=True)
        (site / "acme" / "__init__.py").touch()
        (site / "acme" / "plugin.py").write_text(SERVICE.format("One") + SERVICE.format("Two"))
        monkeypatch.syspath_prepend(str(site))
        return site

    def points(self, *values):
        return [EntryPoint("acme", value, discovery.GROUP) for value in values]

    def test_name_a_module_and_are_loaded_after_the_paths(self, load, write, site):
        write(a=SERVICE.format("A"))
        plugins = load("plugins", entry_points=self.points("acme.plugin"))
        assert names(plugins) == ["A", "One", "Two"]
        assert [found.installed for found in plugins.found] == [False, True, True]

    def test_may_name_one_object(self, load, site):
        assert names(load("site/acme/plugin.py", entry_points=())) == ["One", "Two"]
        plugins = discover([], 1, shop(), self.points("acme.plugin:Two"))
        plugins.close()
        assert names(plugins) == ["Two"]

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (
                "acme.plugn",
                "entry point acme = acme.plugn: there is no module plugn in it; did you mean plugin?",
            ),
            ("acme.plugin:Three", "entry point acme = acme.plugin:Three: there is nothing marked"),
            ("acme", "entry point acme = acme: there is nothing marked"),
            ("nowhere.at.all", "entry point acme = nowhere.at.all: there is no such file, folder or module"),
        ],
    )
    def test_that_lead_nowhere_are_findings(self, folder, site, value, expected):
        plugins = discover([], 1, shop(), self.points(value))
        plugins.close()
        (text,) = texts(plugins)
        assert text.startswith(expected)

    @pytest.fixture
    def environment(self, site, monkeypatch):
        """An environment with the distributions in *site* alone."""
        monkeypatch.setattr(sys, "path", [str(site), str(site / "not there")])
        discovery._installed.cache_clear()
        yield site
        discovery._installed.cache_clear()

    def test_of_the_environment_are_read_once(self, environment):
        (environment / "acme-1.dist-info").mkdir()
        declared = environment / "acme-1.dist-info" / "entry_points.txt"
        declared.write_text("[console_scripts]\nx = y:z\n")
        plugins = discover([], 1, shop())
        plugins.close()
        assert names(plugins) == []
        declared.write_text("[dynconnect.plugins]\nacme = acme.plugin:Two\n")
        for expected in ([], ["Two"]):
            plugins = discover([], 1, shop())
            plugins.close()
            assert names(plugins) == expected
            discovery._installed.cache_clear()


def test_an_interrupt_is_not_taken_for_a_fault(load, write):
    write(a="raise KeyboardInterrupt")
    before = set(sys.modules)
    with pytest.raises(KeyboardInterrupt):
        load()
    assert not [name for name in set(sys.modules) - before if name.startswith("dynconnect_plugins")]


def test_syntax_is_checked_without_executing_anything(write, folder):
    write(a="def f(:", b="1 / 0", c="x = [\n", d="V = 1")
    (folder / "e.py").write_bytes(b"\xff\xfe")
    found = [
        str(finding) for finding in check_syntax(["plugins", "plugins/a.py", "plugns", "no.such.module"])
    ]
    assert [text.partition(" ")[0] for text in found] == [
        "plugins/a.py:1:",
        "plugins/c.py:1:",
        "plugins/e.py:1:",
        "plugns:",
        "no.such.module:",
    ]
    assert "did you mean plugins?" in found[3]


def test_a_file_that_cannot_be_read_is_a_finding(load, write, folder, monkeypatch):
    write(a="")
    read_bytes = type(folder).read_bytes

    def refuse(self):
        if self.name == "a.py":
            raise PermissionError(13, "Permission denied", str(self))
        return read_bytes(self)

    monkeypatch.setattr(type(folder), "read_bytes", refuse)
    assert [str(finding) for finding in check_syntax(["plugins"])] == [
        "plugins/a.py: cannot be read: Permission denied"
    ]
    assert texts(load())[0].startswith("plugins/a.py: PermissionError: [Errno 13] Permission denied")

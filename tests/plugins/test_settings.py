from __future__ import annotations

import textwrap

import pytest

from dynconnect.plugins.settings import PluginSettings, read_settings

ENVIRONMENT = {"DB_PASSWORD": "secret", "HOME": "/root"}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """The settings in a text, as `dynconnect.toml` of the working directory."""
    monkeypatch.chdir(tmp_path)

    def read(text):
        (tmp_path / "dynconnect.toml").write_text(textwrap.dedent(text))
        return read_settings(None, ENVIRONMENT)

    return read


def test_each_plugin_has_a_table(read):
    settings = read("""\
        [plugins.orders]
        url = "postgres://db"
        sizes = [1, 2]
        [plugins.orders.retry]
        times = 3
        [plugins."my-shop"]
        """)
    assert settings.findings == ()
    assert settings.of("orders") == {"url": "postgres://db", "sizes": (1, 2), "retry": {"times": 3}}
    assert settings.of("my-shop") == {}
    assert settings.of("other") == {}


def test_nothing_in_it_can_be_changed(read):
    settings = read('[plugins.orders]\nlist = [{ a = 1 }]\n[plugins.orders.inner]\nb = "c"')
    for table in (settings.of("orders"), settings.of("orders")["inner"], settings.of("orders")["list"][0]):
        with pytest.raises(TypeError):
            table["new"] = 1
    assert isinstance(settings.of("orders")["list"], tuple)
    with pytest.raises(TypeError):
        settings.of("other")["new"] = 1


REFERENCES = [
    pytest.param('{ env = "DB_PASSWORD" }', "secret", id="set"),
    pytest.param('{ env = "DB_PASSWORD", default = "x" }', "secret", id="set, with a default"),
    pytest.param('{ env = "MISSING", default = "x" }', "x", id="not set, with a default"),
    pytest.param('{ env = "MISSING", default = 7 }', 7, id="a default of another type"),
    pytest.param('[{ env = "DB_PASSWORD" }]', ("secret",), id="in a list"),
    pytest.param('{ inner = { env = "DB_PASSWORD" } }', {"inner": "secret"}, id="in a table"),
    pytest.param('{ environment = "DB_PASSWORD" }', {"environment": "DB_PASSWORD"}, id="no reference"),
]


@pytest.mark.parametrize(("value", "expected"), REFERENCES)
def test_secrets_are_those_of_the_environment(read, value, expected):
    settings = read(f"[plugins.orders]\npassword = {value}")
    assert settings.findings == ()
    assert settings.of("orders") == {"password": expected}


FINDINGS = [
    pytest.param(
        '[plugins.orders]\nurl = "x"\npassword = { env = "DB_PASWORD" }',
        "dynconnect.toml:3: password: the environment variable DB_PASWORD is not set; did you mean "
        "DB_PASSWORD?",
        id="a variable that is not set",
    ),
    pytest.param(
        '[plugins.orders]\n# password = 1\n[plugins.orders.db]\npassword = { env = "ZZZ" }',
        "dynconnect.toml:4: db.password: the environment variable ZZZ is not set; set it, or write a default",
        id="deeper, and nothing is near",
    ),
    pytest.param(
        '[plugins]\norders.db = { env = "ZZZ" }',
        "dynconnect.toml:2: db: the environment variable ZZZ is not set",
        id="with dots",
    ),
    pytest.param(
        '[plugins.a]\nkey = 1\n[plugins.b]\nkey = { env = "ZZZ" }',
        "dynconnect.toml:4: key: the environment variable ZZZ is not set",
        id="in the second of two tables",
    ),
    pytest.param(
        '[plugins.a]\nkey = { env = "DB_PASSWORD", defualt = "x" }',
        "dynconnect.toml:2: key: env goes without defualt; did you mean default?",
        id="a misspelt default",
    ),
    pytest.param(
        "[plugins.a]\nkey = { env = 7 }",
        'dynconnect.toml:2: key: the name of an environment variable is text; { env = "NAME",',
        id="a number for a name",
    ),
    pytest.param(
        "\n[plugin.orders]\nkey = 1",
        "dynconnect.toml:2: there is nothing called plugin here; did you mean plugins?",
        id="a misspelt table",
    ),
    pytest.param(
        "zz = 1",
        "dynconnect.toml:1: there is nothing called zz here; settings are in tables [plugins.<name>]",
        id="something else",
    ),
    pytest.param(
        "[plugins]\norders = 1",
        "dynconnect.toml:2: orders is no table; write [plugins.orders] above its settings",
        id="a value for a table",
    ),
    pytest.param(
        "plugins = 1", "dynconnect.toml:1: plugins is no table; write [plugins.<name>]", id="a value for all"
    ),
    pytest.param("[plugins.a]\nkey = = 1", "dynconnect.toml:2: Invalid value; write it as TOML", id="broken"),
    pytest.param("[plugins.a]\nkey = 'x", "dynconnect.toml", id="broken at its end"),
]


@pytest.mark.parametrize(("text", "expected"), FINDINGS)
def test_what_is_wrong_is_found_with_its_line(read, text, expected):
    (finding,) = read(text).findings
    assert str(finding).startswith(expected)


def test_all_findings_come_together(read):
    settings = read('[plugins.a]\nx = { env = "AAA" }\ny = { env = "BBB" }\n[other]')
    assert [finding.where.rpartition(":")[2] for finding in settings.findings] == ["4", "2", "3"]


def test_a_table_for_no_plugin_is_found_with_the_nearest(read):
    settings = read("[plugins.order]\n\n[plugins.shop]\n[plugins.zz]")
    found = [str(finding) for finding in settings.unknown({"orders", "shop"})]
    assert found == [
        "dynconnect.toml:1: there is no plugin order; did you mean orders?",
        "dynconnect.toml:4: there is no plugin zz; a table has the name of a plugin's file or folder",
    ]


def test_without_a_file_there_are_no_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_settings(None, {}) == PluginSettings()


def test_a_file_that_is_named_must_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (finding,) = read_settings("conf/other.toml", {}).findings
    assert str(finding) == "conf/other.toml: cannot be read: No such file or directory"
    (tmp_path / "other.toml").write_text("[plugins.a]\nx = 1")
    assert read_settings("other.toml", {}).of("a") == {"x": 1}


def test_what_is_no_text_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dynconnect.toml").write_bytes(b"\xff\xfe")
    (finding,) = read_settings(None, {}).findings
    assert finding.where == "dynconnect.toml"
    assert "utf-8" in finding.what


def test_any_edit_changes_the_hash(read):
    assert read("[plugins.a]\nx = 1").hash == read("[plugins.a]\nx = 1").hash
    assert read("[plugins.a]\nx = 1").hash != read("[plugins.a]\nx = 2").hash

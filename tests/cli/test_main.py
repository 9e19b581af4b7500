"""The command line itself: help on one screen, and nothing heavy before it is needed."""

from __future__ import annotations

import re
import shlex

import pytest
from click.testing import CliRunner
from support.programs import modules_after

from dynconnect.cli import main as cli
from dynconnect.cli import report
from dynconnect.cli.main import main
from dynconnect.schema.finding import Finding

SCREEN_LINES = 33
URL = "http://localhost:8080"
ASKING = ("call", "describe", "list", "pull")
"""Commands that ask a server."""
COMMANDS = [(), *((name,) for name in cli.COMMANDS)]


def run(*arguments):
    return CliRunner().invoke(main, arguments, terminal_width=80)


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_on_a_screen(command, flag):
    done = run(*command, flag)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert len(lines) <= SCREEN_LINES
    assert all(len(line) < 80 for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained_in_one_line(command):
    options = run(*command, "-h").output.partition("Options:\n")[2].partition("\n\n")[0].splitlines()
    assert options
    assert all(re.match(r"  -", line) for line in options)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_the_parser_takes(command):
    example = run(*command, "-h").output.splitlines()[-1]
    program, name, *arguments = shlex.split(example)
    assert program == "dynconnect"
    context = main.get_command(None, name).make_context(name, arguments)
    if name in ASKING:
        assert {context.params.get("url"), context.params.get("where")} & {URL, (URL,)}
    elif name not in ("init", "completion"):  # which take neither
        assert context.params["schema"] == ("api.binpb",)
    assert context.params.get("plugins", ("plugins/",)) == ("plugins/",)


def test_help_names_every_command():
    output = run("-h").output
    assert [name for name in cli.COMMANDS if f"\n  {name} " not in output] == []


def test_the_version_is_that_of_the_package():
    assert re.fullmatch(
        r"dynconnect \d+\.\d+\.\d+\S*\n",
        CliRunner().invoke(main, ["--version"], prog_name="dynconnect").output,
    )


def test_a_misspelt_command_is_refused():
    done = run("server")
    assert done.exit_code == report.BAD_INPUT
    assert "No such command 'server'" in done.stderr


def test_help_needs_nothing_heavy():
    code = "from dynconnect.cli.main import main\nmain(['serve', '-h'], standalone_mode=False)"
    assert not modules_after(code) & {"asyncio", "hypercorn", "rich", "ssl", "h2"}


def test_findings_are_blocks_of_where_what_and_what_to_do(capsys):
    report.show(
        [
            Finding("plugins/a.py:3", "there is no method Sey", "did you mean Say?"),
            Finding("api.binpb", "is truncated\nreally"),
        ]
    )
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines() == [
        "error: plugins/a.py:3",
        "    there is no method Sey",
        "    hint: did you mean Say?",
        "error: api.binpb",
        "    is truncated",
        "    really",
        "2 errors",
    ]


def test_one_finding_is_not_counted(capsys):
    report.show([Finding("api.binpb", "is empty")])
    assert capsys.readouterr().err.splitlines() == ["error: api.binpb", "    is empty"]

"""What plugins set up, in the program that users start."""

from __future__ import annotations

import signal

import httpx
import pytest
from support.serving import finish, program

SERVE = ("serve", "api.binpb", "--plugins", "plugins", "--port", 0)
PLUGIN = """\
import asyncio
import os
from dynconnect import resource, service

def say(text):
    os.write(1, f"{text}\\n".encode())  # at once, as workers share the pipe

say("loaded")

@resource(scope="process")
async def pool(settings):
    say("pool up")
    yield settings.get("url", "local")
    say("pool down")

@resource
def table(pool):
    say("table up")
    yield f"{pool}/notes"
    say("table down")

@service("notes.v1.Notes")
class Notes:
    def __init__(self, table, hot):
        self.table, self.hot = table, hot
        hot.data["served"] = hot.data.get("served", 0)

    async def echo(self, request, ctx):
        self.hot.data["served"] += 1
        return {"text": self.table, "star_count": self.hot.data["served"]}

    async def count(self, request, ctx):
        try:
            yield {"text": self.table}
            await asyncio.sleep(60)
        finally:
            say("call ended")
"""


@pytest.fixture
def project(project):
    (project / "plugins" / "notes.py").write_text(PLUGIN)
    (project / "dynconnect.toml").write_text('[plugins.notes]\nurl = { env = "URL", default = "remote" }\n')
    return project


def echo(url):
    return httpx.post(f"{url}/notes.v1.Notes/Echo", json={}, trust_env=False).json()


def events(server):
    """What the plugin printed."""
    words = ("loaded", "up", "down", "ended")
    return [line for line in server.output if line.split()[-1:] in [[word] for word in words]]


@pytest.mark.parametrize("engine", ["hypercorn", "uvicorn"])
def test_they_are_there_before_the_first_call_and_gone_after_the_last(project, engine):
    with program(*SERVE, "--engine", engine, "--grace", 0.2, cwd=project, URL="db") as server:
        assert echo(server.url)["text"] == "db/notes"
        with httpx.stream(
            "POST",
            f"{server.url}/notes.v1.Notes/Count",
            content=b"\0\0\0\0\2{}",
            headers={"content-type": "application/connect+json"},
            trust_env=False,
        ) as answer:
            assert b"db/notes" in next(answer.iter_raw())
            server.signal()
            assert server.finished() == 0
    assert events(server) == [
        "loaded", "pool up", "table up", "call ended", "table down", "pool down"
    ]  # fmt: skip
    assert "Traceback" not in server.text


def test_envoy_has_them_in_its_own_process(project):
    pytest.importorskip("pyvoy")
    with program(*SERVE, "--engine", "pyvoy", cwd=project, URL="db") as server:
        assert echo(server.url)["text"] == "db/notes"
        server.signal()
        assert server.finished() == 0
    # It is loaded here too, to find what is wrong with it, and set up only where it serves.
    assert events(server) == ["loaded", "loaded", "pool up", "table up", "table down", "pool down"]


def test_a_reload_renews_those_of_the_generation_and_hands_over(project):
    with program(*SERVE, cwd=project) as server:
        assert echo(server.url) == {"text": "remote/notes", "starCount": 1}
        (project / "dynconnect.toml").write_text('[plugins.notes]\nurl = "other"\n')
        plugin = project / "plugins" / "notes.py"
        plugin.write_text(PLUGIN.replace("/notes", "/new"))
        server.signal(signal.SIGHUP)
        server.line("table down")
        assert echo(server.url) == {"text": "remote/new", "starCount": 2}
        server.signal()
        assert server.finished() == 0
    assert events(server) == [
        "loaded", "pool up", "table up", "loaded", "table up", "table down", "table down", "pool down"
    ]  # fmt: skip


def test_an_edit_of_the_settings_is_served(project):
    (project / "plugins" / "notes.py").write_text(PLUGIN.replace("(pool)", "(settings)").replace(
        "{pool}", "{settings['url']}"
    ))  # fmt: skip
    with program("dev", "api.binpb", "--plugins", "plugins", "--port", 0, cwd=project) as server:
        assert echo(server.url)["text"] == "remote/notes"
        (project / "dynconnect.toml").write_text('[plugins.notes]\nurl = "edited"\n')
        server.line(r"gen 2 .*dynconnect\.toml")
        assert echo(server.url)["text"] == "edited/notes"
        (project / "dynconnect.toml").write_text('[plugins.notes]\nurl = { env = "NOWHERE" }\n')
        server.line(r"dynconnect\.toml:2")
        server.line("NOWHERE is not set")
        assert echo(server.url)["text"] == "edited/notes"
        (project / "dynconnect.toml").unlink()
        server.line(r"KeyError: 'url'")
        assert echo(server.url)["text"] == "edited/notes"


BROKEN = [
    pytest.param(
        PLUGIN.replace('say("table up")', "1 / 0"),
        ["loaded", "pool up", "pool down"],
        id="a resource",
    ),
    pytest.param(
        PLUGIN.replace("= table, hot", "= 1 / 0, hot"),
        ["loaded", "pool up", "table up", "table down", "pool down"],
        id="a constructor",
    ),
]


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_a_failure_at_the_start_is_a_finding_and_what_was_set_up_is_torn_down(project, text, expected):
    (project / "plugins" / "notes.py").write_text(text)
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "1 / 0" in each)
    with program(*SERVE, cwd=project) as server:
        assert server.finished() == 2
    assert events(server) == expected
    assert f"error: plugins/notes.py:{line}" in server.output
    assert "    ZeroDivisionError: division by zero" in server.output
    assert "Traceback" not in server.text
    assert "http://" not in server.text, "nothing was served"


def test_check_sets_nothing_up_and_makes_no_instance(project):
    text = PLUGIN.replace('hot.data["served"] =', 'say("made")\n        hot.data["served"] =')
    (project / "plugins" / "notes.py").write_text(text)
    done = finish("check", "api.binpb", "--plugins", "plugins", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "loaded"
    assert not {"pool up", "table up", "made"}.intersection(done.stdout.splitlines())


def test_settings_may_be_in_another_file(project):
    (project / "other.toml").write_text('[plugins.notes]\nurl = "there"\n[plugins.note]\n')
    done = finish("check", "api.binpb", "--plugins", "plugins", "--config", "other.toml", cwd=project)
    assert done.returncode == 2
    assert "error: other.toml:3\n    there is no plugin note\n    hint: did you mean notes?" in done.stderr
    (project / "other.toml").write_text('[plugins.notes]\nurl = "there"\n')
    with program(*SERVE, "--config", "other.toml", cwd=project) as server:
        assert echo(server.url)["text"] == "there/notes"


@pytest.mark.parametrize("missing", [("serve", "--port", 0), ("check",)])
def test_a_settings_file_that_is_named_must_be_there(project, missing):
    command, *options = missing
    done = finish(command, "api.binpb", "--config", "nowhere.toml", *options, cwd=project)
    assert done.returncode == 2
    assert "error: nowhere.toml\n    cannot be read: No such file or directory" in done.stderr


def test_each_worker_has_its_own(project):
    with program(*SERVE, "--workers", 2, cwd=project, apart=True, URL="db") as server:
        assert echo(server.url)["text"] == "db/notes"
        server.signal()
        assert server.finished() == 0
    assert sorted(server.results) == sorted(2 * ["loaded", "pool up", "table up", "table down", "pool down"])


HEALTH = """\
from dynconnect import resource, service

@resource(scope="process")
def line(health):
    yield lambda serving: health.set(serving=serving)

@service("notes.v1.Notes")
class Notes:
    def __init__(self, line, health):
        self.line, self.health = line, health

    def echo(self, request, ctx):  # in a thread
        if request.text.startswith("line"):
            self.line(request.text == "line up")
        else:
            self.health.set("notes.v1.Notes", serving=request.text == "up")
        return {}
"""


def test_a_plugin_tells_how_it_is(project):
    (project / "plugins" / "notes.py").write_text(HEALTH)
    (project / "dynconnect.toml").unlink()
    with (
        program(*SERVE, cwd=project) as server,
        httpx.Client(base_url=server.url, trust_env=False) as http,
    ):

        def seen(text):
            assert http.post("/notes.v1.Notes/Echo", json={"text": text}).status_code == 200
            check = http.post("/grpc.health.v1.Health/Check", json={"service": "notes.v1.Notes"})
            return http.get("/readyz").status_code, check.json()["status"]

        assert seen("up") == (200, "SERVING")
        assert seen("down") == (200, "NOT_SERVING")
        assert seen("line down") == (503, "NOT_SERVING")
        server.signal(signal.SIGHUP)
        server.line("gen 2")
        # A new generation begins anew, and the line lives as long as the process.
        assert http.get("/readyz").status_code == 503
        assert seen("up") == (503, "SERVING")
        assert seen("line up") == (200, "SERVING")

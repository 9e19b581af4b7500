"""SIGHUP: all workers serve the files as they are, or none of them does."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack

from support import project as projects
from support.protoc import compile_set
from support.serving import client, program
from support.workers import SERVE, answers, edit, read, stream

RELOADS = 5


def replace_schema(project, before, after):
    """Write the schema with *after* in the place of *before*."""
    path = project / "notes.proto"
    text = path.read_text() if path.exists() else projects.PROTO
    assert before in text
    path.write_text(text.replace(before, after))
    (project / "api.binpb").write_bytes(compile_set({"notes/v1/notes.proto": path.read_text()}))


def test_a_bad_edit_is_said_once_and_changes_nothing(project):
    with program(*SERVE, cwd=project) as server:
        before = answers(server.url)
        edit(project, "async def echo", "async def ecko")
        server.signal(signal.SIGHUP)
        server.line("still serving gen 1")
        assert answers(server.url) == before
        edit(project, "async def ecko", "async def echo")
        edit(project)
        server.signal(signal.SIGHUP)
        server.line("↻ gen 2 ")
        found = answers(server.url)
        assert found.keys() == before.keys()
        assert {(answer.edit, answer.generation) for answer in found.values()} == {("second", 2)}
    assert server.text.count("Notes.ecko is no RPC of notes.v1.Notes") == 1
    assert "Traceback" not in server.text


def test_an_edit_that_brings_down_its_process_costs_one_worker(project):
    with program(*SERVE, cwd=project) as server:
        before = answers(server.url)
        edit(project, 'EDIT = "first"', "os._exit(3)")
        server.signal(signal.SIGHUP)
        server.line("ended with exit code 3 while it loaded")
        server.line("still serving gen 1")
        edit(project, "os._exit(3)", 'EDIT = "first"')
        server.line(r"worker \d \(pid \d+\) serves")
        found = answers(server.url)
        assert len(found.keys() & before.keys()) == 1
        assert {(answer.edit, answer.generation) for answer in found.values()} == {("first", 1)}


def test_a_call_that_runs_keeps_its_generation(project):
    with program(*SERVE, cwd=project) as server, stream(server.url, "done") as (_, pieces):
        edit(project, '"last"', '"other"')
        server.signal(signal.SIGHUP)
        server.line("↻ gen 2 ")
        (project / "done").touch()
        assert b"last" in b"".join(pieces)


def test_who_replaces_a_worker_has_the_generation_of_the_rest(project):
    with program(*SERVE, cwd=project) as server:
        victim, _ = answers(server.url)
        edit(project)
        server.signal(signal.SIGHUP)
        server.line("↻ gen 2 ")
        os.kill(victim, signal.SIGKILL)
        server.line(r"worker \d \(pid \d+\) serves")
        found = answers(server.url)
        assert victim not in found
        assert {(answer.edit, answer.generation) for answer in found.values()} == {("second", 2)}


async def test_under_load_no_call_fails_and_all_workers_agree(project):
    with program(*SERVE, cwd=project) as server:
        over = asyncio.Event()
        url = await asyncio.to_thread(lambda: server.url)

        async def call(*, http2, connections):
            """Call until it is over; how often each generation has answered."""
            found = []
            while not over.is_set():
                async with client(url, http2=http2) as http:
                    for _ in range(connections):
                        answer = read(await http.post("/notes.v1.Notes/Echo", json={}))
                        assert answer.edit == f"edit{answer.generation}"
                        found.append(answer.generation)
            return found

        edit(project, '"first"', '"edit2"')
        server.signal(signal.SIGHUP)
        await asyncio.to_thread(server.line, "↻ gen 2 ")
        async with asyncio.TaskGroup() as callers:
            loads = [
                callers.create_task(call(http2=http2, connections=connections))
                for http2 in (False, True)
                for connections in (1, 50)
            ]
            for number in range(3, 3 + RELOADS):
                edit(project, f'"edit{number - 1}"', f'"edit{number}"')
                server.signal(signal.SIGHUP)
                await asyncio.to_thread(server.line, f"↻ gen {number} ")
            over.set()
        seen = [generation for load in loads for generation in load.result()]
        assert len(set(seen)) > 1, "calls were answered before and after a reload"
        last = 2 + RELOADS
        found = await asyncio.to_thread(answers, url)
        assert {answer.generation for answer in found.values()} == {last}


def test_what_changes_and_what_breaks_is_said(project):
    with program(*SERVE, cwd=project) as server:
        answers(server.url)
        edit(project, 'answer = f"', 'answer = "" + f"')
        replace_schema(project, "int32 star_count = 2", "int64 stars = 2")
        server.signal(signal.SIGHUP)
        assert "Echo changed" in server.line("↻ gen 2 ").string
        server.line(r"breaking: .*notes\.v1\.Note.*")


def test_what_breaks_is_refused_where_that_is_wanted(project):
    with program(*SERVE, "--on-breaking", "refuse", cwd=project) as server:
        before = answers(server.url)
        replace_schema(project, "int32 star_count = 2", "string star_count = 2")
        server.signal(signal.SIGHUP)
        server.line("notes.v1.Note")
        server.line("still serving gen 1")
        assert answers(server.url) == before
        replace_schema(project, "string star_count = 2", "int32 star_count = 2; int32 more = 3")
        server.signal(signal.SIGHUP)
        server.line("↻ gen 2 ")


def test_no_more_than_eight_generations_live_in_a_worker(project):
    with ExitStack() as open_, program(*SERVE, "--drain", 600, cwd=project) as server:
        for number in range(2, 9):
            pids = set()
            while len(pids) < 2:  # a call of each generation in each worker
                pids.add(open_.enter_context(stream(server.url, "done"))[0])
            edit(project, "LAST = ", f"LAST = {number} + ")
            server.signal(signal.SIGHUP)
            server.line(f"↻ gen {number} ")
        edit(project, "LAST = ", "LAST = 9 + ")
        server.signal(signal.SIGHUP)
        server.line("too many older generations still have calls")
        server.line("still serving gen 8")
        (project / "done").touch()

"""Worker processes as their user has them: one port, several processes, none of them noticed."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from support.serving import Certificates, program
from support.workers import SERVE, answers, call, edit, plugin, stream, wait_for_end

IN_VAIN = "from dynconnect.server.workers import supervisor as s; s.RESTART_DELAY = 0.01; s.RESTARTS_MAX = 2"


@pytest.mark.parametrize("engine", ["hypercorn", "uvicorn"])
def test_each_worker_gets_calls_in_both_versions_of_http(project, engine):
    with program(*SERVE, "--engine", engine, cwd=project) as server:
        pids = set(answers(server.url))
        assert set(answers(server.url, http1=False, http2=True)) == pids
        assert server.process.pid not in pids


def test_tls_is_served_by_each_worker(project, tmp_path):
    files = Certificates(tmp_path)
    tls = ("--tls-cert", files.cert, "--tls-key", files.key)
    with program(*SERVE, *tls, cwd=project) as server:
        assert len(answers(server.url, verify=files.trusting())) == 2


def test_the_banner_is_printed_once_and_counts_the_workers(project):
    with program(*SERVE, cwd=project) as server:
        url = server.url
        server.line("^2 workers$")
        server.line("curl ")
        answers(url)
    assert server.text.count("engine hypercorn") == 1


def test_what_a_worker_logs_has_its_number(project):
    with program(*SERVE, cwd=project) as server:
        pid = call(server.url, "log").pid
        assert server.line(rf"INFO    worker \d: said by {pid}")


# --- the end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_running_stream_is_finished_before_the_end(project, number):
    with program(*SERVE, "--grace", 60, cwd=project) as server, stream(server.url, "done") as (_, pieces):
        server.signal(number)
        server.line("waiting for running calls: 1, for 60 s at most")
        (project / "done").touch()
        assert b"last" in b"".join(pieces)
        assert server.finished() == 0
    assert "Traceback" not in server.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_of_the_processes_is_the_same(project, number):
    with program(*SERVE, "--grace", 60, cwd=project) as server, stream(server.url, "done") as (_, pieces):
        for pid in [*answers(server.url), server.process.pid]:
            os.kill(pid, number)
        server.line("waiting for running calls: 1, for 60 s at most")
        (project / "done").touch()
        assert b"last" in b"".join(pieces)
        assert server.finished() == 0
    assert "Traceback" not in server.text


def test_a_stream_that_does_not_end_is_told_so_after_the_grace(project):
    with program(*SERVE, "--grace", 0.1, cwd=project) as server, stream(server.url, "never") as (_, pieces):
        server.signal()
        assert b'"code":"unavailable"' in b"".join(pieces)
        assert server.finished() == 0
    assert "calls ended after 0.1 s: 1" in server.text


def test_a_second_signal_ends_all_at_once(project):
    with program(*SERVE, "--grace", 600, cwd=project) as server, stream(server.url, "never"):
        pids = answers(server.url)
        server.signal()
        server.line("waiting for running calls")
        server.signal()
        assert server.finished() == -signal.SIGTERM
        for pid in pids:
            wait_for_end(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_workers_load_ends_all(project, number):
    edit(project, "EDIT =", 'print("loading", flush=True); time.sleep(600)\nEDIT =')
    with program(*SERVE, cwd=project) as server:
        server.line("loading")
        server.signal(number)
        assert server.finished() == 0
    assert "Traceback" not in server.text


def test_a_worker_that_does_not_end_is_killed(project):
    soon = "from dynconnect.server.workers import supervisor as s; s.END_TIMEOUT = s.KILL_AFTER = 0.1"
    with program(*SERVE, "--grace", 0, cwd=project, prelude=soon) as server:
        os.kill(call(server.url).pid, signal.SIGSTOP)
        server.signal()
        assert server.finished() == 0
    assert "does not end: it is killed" in server.text


def test_without_a_supervisor_workers_finish_their_calls_and_end(project):
    with program(*SERVE, "--grace", 60, cwd=project) as server, stream(server.url, "done") as (_, pieces):
        pids = answers(server.url)
        server.signal(signal.SIGKILL)
        server.line("waiting for running calls: 1, for 60 s at most")
        (project / "done").touch()
        assert b"last" in b"".join(pieces)
        for pid in pids:
            wait_for_end(pid)


def test_without_a_supervisor_a_worker_ends_even_if_a_handler_holds_up_its_loop(project):
    with program(*SERVE, "--grace", 0, cwd=project) as server, stream(server.url, "spin") as (pid, _):
        server.signal(signal.SIGKILL)
        wait_for_end(pid)


# --- the end of one -----------------------------------------------------------------------------------------


def test_a_worker_that_is_killed_is_replaced_and_the_calls_of_others_go_on(project):
    with program(*SERVE, cwd=project) as server:
        victim, other = answers(server.url)
        with stream(server.url, "done") as (holder, pieces):
            # The worker of an open stream is the other one.
            victim, other = (victim, other) if holder == other else (other, victim)
            os.kill(victim, signal.SIGKILL)
            wait_for_end(victim)
            replaced = threading.Thread(target=server.line, args=[r"worker \d \(pid \d+\) serves"])
            replaced.start()
            while replaced.is_alive():
                assert call(server.url).pid != victim
            (project / "done").touch()
            assert b"last" in b"".join(pieces)
        found = answers(server.url)
        assert other in found
        assert victim not in found
        assert {answer.generation for answer in found.values()} == {1}
    assert f"(pid {victim}) was killed by SIGKILL" in server.text


def test_a_worker_that_is_told_to_stop_finishes_its_calls_while_another_takes_its_place(project):
    with (
        program(*SERVE, "--grace", 60, cwd=project) as server,
        stream(server.url, "done") as (pid, pieces),
    ):
        os.kill(pid, signal.SIGTERM)
        server.line(rf"worker \d \(pid {pid}\) was told to stop: another takes its place")
        server.line(r"worker \d \(pid \d+\) serves")
        assert pid not in answers(server.url)
        (project / "done").touch()
        assert b"last" in b"".join(pieces)
        wait_for_end(pid)


def test_a_process_that_a_plugin_forked_does_not_hide_the_end_of_its_worker(project):
    with program(*SERVE, cwd=project) as server:
        answer = call(server.url, "fork")
        try:
            os.kill(answer.pid, signal.SIGKILL)
            server.line("was killed by SIGKILL")
            server.line(r"worker \d \(pid \d+\) serves")
        finally:
            os.kill(int(answer.rest[0]), signal.SIGKILL)


def test_a_worker_is_replaced_only_by_what_serves_the_same(project):
    slow = "from dynconnect.server.workers import supervisor as s; s.RESTART_DELAY = 0.01"
    with program(*SERVE, cwd=project, prelude=slow) as server:
        victim, _ = answers(server.url)
        edit(project)
        os.kill(victim, signal.SIGKILL)
        server.line("can't serve generation 1, as files have changed: SIGHUP loads them")
        edit(project, '"second"', '"first"')
        server.line(r"worker \d \(pid \d+\) serves")
        assert {(answer.edit, answer.generation) for answer in answers(server.url).values()} == {("first", 1)}


def test_once_no_worker_is_left_the_next_one_serves_the_files_as_they_are(project):
    with program(*SERVE, cwd=project) as server:
        pids = answers(server.url)
        edit(project)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for _ in pids:
            server.line(r"worker \d \(pid \d+\) serves")
        assert {answer.edit for answer in answers(server.url).values()} == {"second"}


def test_when_no_worker_can_be_started_any_more_the_supervisor_ends_and_says_so(project):
    with program(*SERVE, cwd=project, prelude=IN_VAIN) as server:
        pids = answers(server.url)
        edit(project, 'EDIT = "first"', "os._exit(3)")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        server.line("ended with exit code 3")
        assert server.finished() == 2
    assert server.text.count("no worker can be started any more") == 1
    assert "Traceback" not in server.text


# --- the start ----------------------------------------------------------------------------------------------


def test_findings_are_printed_once(project):
    edit(project, "async def echo", "async def ecko")
    with program(*SERVE, cwd=project) as server:
        assert server.finished() == 2
    assert server.text.count("Notes.ecko is no RPC of notes.v1.Notes") == 1
    assert "Traceback" not in server.text


def test_a_plugin_that_ends_its_process_is_a_finding(project):
    edit(project, 'EDIT = "first"', "os._exit(3)")
    with program(*SERVE, cwd=project) as server:
        assert server.finished() == 2
    assert "ended with exit code 3 while it loaded" in server.text
    assert "Traceback" not in server.text


def test_workers_that_find_other_files_than_the_first_one_load_them_again(project):
    change = """
if not Path("changed").exists():
    Path("changed").touch()
    with Path("plugins/notes.py").open("a") as own:
        own.write('EDIT = "second"')
"""
    plugin(project).write_text(plugin(project).read_text() + change)
    with program(*SERVE, cwd=project) as server:
        server.line("files changed while workers loaded them: they load them again")
        assert {answer.edit for answer in answers(server.url).values()} == {"second"}

"""A worker as its supervisor speaks with it, in a process of its own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.serving import GUARD
from support.workers import call, edit

from dynconnect.live.inputs import Inputs
from dynconnect.server.engines.endpoint import open_endpoint
from dynconnect.server.engines.settings import Settings
from dynconnect.server.service import Service
from dynconnect.server.workers.messages import Abort, Announce, Commit, Prepare, Prepared, Refused, Serving
from dynconnect.server.workers.process import WorkerProcess
from dynconnect.server.workers.worker import Assignment


@asynccontextmanager
async def started(project, **settings):
    """A worker that serves *project*, and the URL where it does so."""
    inputs = Inputs((str(project / "api.binpb"),), (str(project / "plugins"),))
    with open_endpoint(Settings(port=0)) as endpoint:
        # Of what it is given to call, nothing matters here: `abs` of its number, and of what it announces.
        assignment = Assignment(
            Service(inputs), "hypercorn", Settings(**settings), endpoint.port, endpoint.sockets, abs, abs
        )
        worker = WorkerProcess(1, assignment)
        async with asyncio.timeout(GUARD):
            try:
                yield worker, endpoint.url
            finally:
                worker.kill()
                await worker.ended


async def served(url):
    answer = await asyncio.to_thread(call, url)
    return answer.edit, answer.generation


async def test_what_is_prepared_serves_once_it_is_committed_and_what_is_aborted_never(project):
    async with started(project) as (worker, url):
        first = await worker.ask(Prepare(1))
        assert isinstance(first, Prepared)
        assert await worker.ask(Commit()) == Serving()
        assert await served(url) == ("first", 1)
        edit(project)
        second = await worker.ask(Prepare(2))
        assert second != first
        worker.tell(Abort())
        assert await served(url) == ("first", 1)
        assert await worker.ask(Prepare(2)) == second
        assert await served(url) == ("first", 1)
        assert await worker.ask(Commit()) == Serving()
        assert await served(url) == ("second", 2)


async def test_equal_files_have_an_equal_hash_in_every_process(project):
    async with started(project) as (one, _), started(project) as (other, _):
        assert await one.ask(Prepare(1)) == await other.ask(Prepare(7))


async def test_findings_are_the_answer_and_it_can_be_asked_again(project):
    async with started(project) as (worker, url):
        edit(project, "async def echo", "async def ecko")
        refused = await worker.ask(Prepare(1))
        assert isinstance(refused, Refused)
        [finding] = refused.findings
        assert "Notes.ecko is no RPC" in finding.what
        edit(project, "async def ecko", "async def echo")
        assert isinstance(await worker.ask(Prepare(1)), Prepared)
        assert await worker.ask(Commit()) == Serving()
        assert await served(url) == ("first", 1)


REFUSED = [
    pytest.param(Path("gone.pem"), "the certificate can't be read", id="a certificate that has gone"),
    pytest.param(7, "building failed: AttributeError", id="a fault of ours"),
]


@pytest.mark.parametrize(("cert", "text"), REFUSED)
async def test_whatever_keeps_it_from_building_is_an_answer(project, cert, text):
    async with started(project, tls_cert=cert) as (worker, _):
        refused = await worker.ask(Prepare(1))
        assert isinstance(refused, Refused)
        assert text in refused.findings[0].what


async def test_a_worker_that_can_not_follow_any_more_leaves(project):
    async with started(project, grace=0) as (worker, _):
        await worker.ask(Prepare(1))
        await worker.ask(Commit())
        worker.tell(Announce())  # for which `abs` has one argument too many
        await worker.gone.wait()
        assert await worker.ended == 0

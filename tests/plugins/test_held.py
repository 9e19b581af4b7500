from __future__ import annotations

import asyncio
import textwrap
import threading

import pytest
from support.clock import virtual_time

from dynconnect.plugins import held as held_module
from dynconnect.plugins.held import SETUP_MAX, TEARDOWN_MAX, Held
from dynconnect.plugins.locate import PluginError
from dynconnect.plugins.places import innermost
from dynconnect.plugins.resources import resources_of

HEAD = """\
import asyncio, threading
from contextlib import asynccontextmanager, contextmanager
from dynconnect import resource
LOG = []
GO, BEGUN = threading.Event(), asyncio.Event()
"""


@pytest.fixture
def make(load, folder):
    """The resource `db` of one plugin, which begins at its line 6, and the list LOG in it."""

    def make(text):
        (folder / "a.py").write_text(HEAD + textwrap.dedent(text))
        plugins = load()
        (resource,), findings = resources_of(plugins)
        assert findings == ()
        return Held(resource, plugins.space), innermost(resource.function).__globals__

    return make


KINDS = [
    pytest.param(
        "@resource\nasync def db(settings):\n  yield settings\n  LOG.append('end')",
        True,
        id="async generator",
    ),
    pytest.param("@resource\ndef db(settings):\n  yield settings\n  LOG.append('end')", True, id="generator"),
    pytest.param(
        "@resource\n@asynccontextmanager\nasync def db(settings):\n  yield settings\n  LOG.append('end')",
        True,
        id="async context manager",
    ),
    pytest.param(
        "@resource\n@contextmanager\ndef db(settings):\n  yield settings\n  LOG.append('end')",
        True,
        id="context manager",
    ),
    pytest.param("@resource\nasync def db(settings): return settings", False, id="async function"),
    pytest.param("@resource\ndef db(settings): return settings", False, id="function"),
    pytest.param(
        "async def inner(n): return n\n@resource\ndef db(settings): return inner(settings)",
        False,
        id="an async one inside",
    ),
    pytest.param("@resource(scope='process')\ndef db(settings): return settings", False, id="of the process"),
]


@pytest.mark.parametrize(("text", "ends"), KINDS)
async def test_every_form_is_set_up_and_torn_down(make, text, ends):
    held, module = make(text)
    value = object()
    await held.set_up({"settings": value})
    assert held.value is value
    assert (module["LOG"], held.ended) == ([], False)
    await held.tear_down()
    assert (module["LOG"], held.ended) == (["end"] if ends else [], True)
    await held.tear_down()


async def test_a_value_that_is_a_context_manager_is_given_as_it_is(make):
    held, module = make("""\
        class Connection:
            def __enter__(self): LOG.append("entered")
            def __exit__(self, *_): LOG.append("left")
        @resource
        def db(): return Connection()
        """)
    await held.set_up({})
    assert type(held.value).__name__ == "Connection"
    await held.tear_down()
    assert module["LOG"] == []


async def test_plain_code_runs_in_threads_and_async_code_in_the_loop(make):
    text = """\
        @resource
        {form} db():
            yield threading.get_ident()
            LOG.append(threading.get_ident())
        """
    for form, in_loop in (("async def", True), ("def", False)):
        held, module = make(text.format(form=form))
        await held.set_up({})
        await held.tear_down()
        here = threading.get_ident()
        assert [held.value == here, module["LOG"] == [here]] == [in_loop, in_loop]


async def test_a_task_group_may_be_open_across_the_yield(make):
    held, module = make("""\
        async def tick():
            try:
                await asyncio.Event().wait()
            finally:
                LOG.append("tick ended")
        @resource
        async def db():
            async with asyncio.TaskGroup() as group:
                task = group.create_task(tick())
                await asyncio.sleep(0)
                yield group
                task.cancel()
        """)
    await held.set_up({})
    # From another task, as a reload does it.
    await asyncio.create_task(held.tear_down())
    assert module["LOG"] == ["tick ended"]


FAILURES = [
    pytest.param(
        "@resource\nasync def db():\n  1 / 0\n  yield",
        "plugins/a.py:8",
        "ZeroDivisionError",
        id="async generator",
    ),
    pytest.param("@resource\ndef db():\n  1 / 0", "plugins/a.py:8", "ZeroDivisionError", id="in a thread"),
    pytest.param(
        "@resource\ndef db():\n  open('nowhere')\n  yield",
        "plugins/a.py:8",
        "FileNotFoundError",
        id="generator",
    ),
    pytest.param(
        "@resource\nasync def db():\n  exit(3)\n  yield",
        "plugins/a.py:8",
        "SystemExit: 3",
        id="it would end us",
    ),
    pytest.param("@resource\ndef db():\n  exit(3)", "plugins/a.py:8", "SystemExit: 3", id="from a thread"),
    pytest.param(
        "@resource\nasync def db():\n  if 0: yield", "plugins/a.py:6", "generator didn't yield", id="no yield"
    ),
    pytest.param(
        "@resource\nasync def db():\n  raise asyncio.CancelledError\n  yield",
        "plugins/a.py:8",
        "CancelledError",
        id="it cancels itself",
    ),
    pytest.param(
        "@resource\nasync def db():\n  await asyncio.open_connection('127.0.0.1', 1)\n  yield",
        "plugins/a.py:8",
        "raised at",
        id="in a library",
    ),
]


@pytest.mark.parametrize(("text", "where", "message"), FAILURES)
async def test_a_failure_is_a_finding_at_the_authors_own_line(make, text, where, message):
    held, _ = make(text)
    with pytest.raises(PluginError) as caught:
        await held.set_up({})
    (finding,) = caught.value.findings
    assert finding.where == where
    assert message in str(finding)
    assert held.ended


async def test_a_setup_that_takes_too_long_is_a_finding_where_it_waits(make):
    held, module = make("""\
        @resource
        async def db():
            try:
                await asyncio.Event().wait()
                yield
            finally:
                LOG.append("tidied up")
        """)
    with virtual_time() as clock:
        began = clock.now
        with pytest.raises(PluginError) as caught:
            await held.set_up({})
        assert SETUP_MAX <= clock.now - began < SETUP_MAX + 1
    assert str(caught.value).startswith("plugins/a.py:9: resource db is not set up within 30 s; ")
    assert module["LOG"] == ["tidied up"]
    assert held.ended


async def test_what_a_thread_sets_up_too_late_is_torn_down_there(make, monkeypatch):
    monkeypatch.setattr(held_module, "SETUP_MAX", 0.01)
    held, module = make("""\
        DONE = threading.Event()
        @resource
        def db():
            assert GO.wait(10)
            yield
            LOG.append("tidied up")
            DONE.set()
        """)
    with pytest.raises(PluginError) as caught:
        await held.set_up({})
    assert str(caught.value).startswith("plugins/a.py:7: resource db is not set up within 0.01 s")
    module["GO"].set()
    assert await asyncio.to_thread(module["DONE"].wait, 10)
    assert module["LOG"] == ["tidied up"]


async def test_a_cancelled_setup_leaves_nothing(make):
    held, module = make("""\
        @resource
        async def db():
            try:
                BEGUN.set()
                await asyncio.Event().wait()
                yield
            finally:
                LOG.append("tidied up")
        """)
    setting_up = asyncio.create_task(held.set_up({}))
    await module["BEGUN"].wait()
    setting_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await setting_up
    assert (module["LOG"], held.ended) == (["tidied up"], True)


TEARDOWNS = [
    pytest.param("1 / 0", "resource db: its teardown failed", id="it raises"),
    pytest.param("yield", "resource db: its teardown failed", id="it yields again"),
    pytest.param("exit()", "resource db: its teardown failed", id="it would end us"),
    pytest.param(
        "await asyncio.Event().wait()",
        f"resource db: its teardown takes longer than {TEARDOWN_MAX:g} s",
        id="it hangs",
    ),
]


@pytest.mark.parametrize(("code", "message"), TEARDOWNS)
async def test_a_teardown_that_fails_is_logged_and_never_raised(make, caplog, code, message):
    held, _ = make(f"@resource\nasync def db():\n  yield\n  {code}")
    await held.set_up({})
    with virtual_time():
        await held.tear_down()
        await asyncio.sleep(0.01)
    assert [record.message for record in caplog.records] == [message]
    assert held.ended


async def test_one_that_ends_while_it_is_in_use_is_logged_at_once(make, caplog):
    held, _ = make("""\
        async def fails(): raise ValueError("as planned")
        @resource
        async def db():
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                yield
        """)
    await held.set_up({})
    await asyncio.wait({task for task in asyncio.all_tasks() if task.get_name() == "resource db"})
    assert [record.message for record in caplog.records] == ["resource db ended while it was in use"]
    await held.tear_down()


async def test_one_that_was_never_set_up_has_nothing_to_tear_down(make):
    held, _ = make("@resource\ndef db(): ...")
    await held.tear_down()
    assert not held.ended

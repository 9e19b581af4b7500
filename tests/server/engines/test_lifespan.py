"""The lifespan that we run ourselves."""

from __future__ import annotations

import pytest

from dynconnect.server.engines.lifespan import LifespanError, lifespan


def app(*answers, fault=None):
    """An application that gives *answers*, one to each question, and then ends, or raises *fault*."""
    asked = []

    async def serve(scope, receive, send):
        scope["state"]["asked"] = asked
        for answer in answers:
            asked.append((await receive())["type"])
            await send({"type": f"{asked[-1]}.{answer}", "message": "no database"})
        if fault is not None:
            raise fault

    return serve, asked


async def test_it_starts_and_stops_the_application():
    serve, asked = app("complete", "complete")
    async with lifespan(serve) as state:
        assert state["asked"] == asked == ["lifespan.startup"]
    assert asked == ["lifespan.startup", "lifespan.shutdown"]


async def test_an_application_that_cannot_start_is_not_served():
    with pytest.raises(LifespanError, match="no database"):
        async with lifespan(app("failed")[0]):
            pytest.fail("it was served")


async def test_an_application_that_fails_to_stop_is_heard(caplog):
    async with lifespan(app("complete", "failed")[0]):
        pass
    assert "no database" in caplog.text


@pytest.mark.parametrize("fault", [None, AssertionError("only http")])
@pytest.mark.parametrize("answers", [(), ("complete",)])
async def test_a12_an_application_without_lifespan_is_served(fault, answers, caplog):
    async with lifespan(app(*answers, fault=fault)[0]):
        pass
    assert caplog.text == ""


async def test_what_fails_within_is_not_hidden():
    serve, asked = app("complete", "complete")
    with pytest.raises(KeyError):
        async with lifespan(serve):
            raise KeyError
    assert asked == ["lifespan.startup"]

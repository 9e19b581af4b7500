"""The application as Envoy's Python imports it: made anew from what our process says in its environment."""

from __future__ import annotations

import asyncio
import base64
import os
import pickle

from dynconnect.live.build import build
from dynconnect.server.asgi_call import App, Message, Receive, Scope, Send
from dynconnect.server.service import Service

VARIABLE = "DYNCONNECT_PYVOY"


def pack(service: Service) -> str:
    """*service* as a value for `VARIABLE`."""
    return base64.b64encode(pickle.dumps(service)).decode()


def patient(app: App) -> App:
    """*app*, whose wish for the next message is never cancelled: pyvoy would answer it still, and fail."""

    async def patient(scope: Scope, receive: Receive, send: Send) -> None:
        async def kept() -> Message:
            return await asyncio.shield(asyncio.ensure_future(receive()))

        await app(scope, kept, send)

    return patient


def _unpack(text: str) -> Service:
    service = pickle.loads(base64.b64decode(text))  # noqa: S301  from our own process to its child
    assert isinstance(service, Service)  # noqa: S101  `pack` takes nothing else
    return service


if VARIABLE in os.environ:
    _service = _unpack(os.environ[VARIABLE])
    _inputs = _service.inputs
    _generation = build(_inputs.schema, _inputs.plugins, protoc=_inputs.protoc)
    app = patient(_service.app(_service.server(_generation)))

"""The engines that a server can run on, and what each of them can do: the one table of it.

The command line offers what stands here, the start banner and `docs/engines.md` say what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dynconnect.schema.finding import Finding
from dynconnect.server.engines.settings import StartError

if TYPE_CHECKING:
    from dynconnect.server.engines.run import Engine as Serve


class Ability(Enum):
    """What an engine may be able to do; the value is its name for people."""

    HTTP1 = "HTTP/1.1"
    H2C = "HTTP/2 without TLS, by prior knowledge"
    UPGRADE = "HTTP/2 without TLS, by Upgrade"
    TLS = "TLS, with HTTP/2 by ALPN"
    CLIENT_CERTIFICATES = "client certificates"
    TRAILERS = "gRPC (trailers)"
    HTTP3 = "HTTP/3"
    WORKERS = "worker processes"
    RELOAD = "reload while it runs"
    SHUTDOWN = "health that turns, and `unavailable`, at the end"


@dataclass(frozen=True, slots=True)
class Engine:
    """An HTTP server that we can run on.

    Attributes:
        name: of `--engine`, and of the module in this folder.
        about: what does what, in a line.
        extra: the extra of our package that installs it; empty if we always do.
        lacks: what it can't do, with the reason.
        outside: it runs the application in a process of its own, so its `serve` takes a `Service`.
    """

    name: str
    about: str
    extra: str = ""
    lacks: Mapping[Ability, str] = field(default_factory=dict)
    outside: bool = False

    def can(self, ability: Ability) -> bool:
        """Whether it has *ability*."""
        return ability not in self.lacks

    def load(self) -> Serve[Any]:
        """Its `serve`.

        Raises:
            StartError: its packages are not installed.
        """
        try:
            module = import_module(f"dynconnect.server.engines.{self.name}")
        except ModuleNotFoundError as exc:
            missing = (exc.name or "").partition(".")[0]
            if not self.extra or missing == "dynconnect":
                raise
            hint = f"pip install 'dynconnect[{self.extra}]'"
            raise StartError(
                [Finding(f"--engine {self.name}", f"{missing} is not installed", hint)]
            ) from None
        serve: Serve[Any] = module.serve  # Any: what it runs, by `outside`
        return serve


_ELSEWHERE = "what serves is in Envoy's process"
_TCP_ONLY = "we listen on TCP only"

DEFAULT = "hypercorn"

ENGINES: Mapping[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            "hypercorn",
            "HTTP/1.1 by h11, HTTP/2 by dynconnect (or hypercorn's, with `--http2 hypercorn`)",
            lacks={Ability.HTTP3: _TCP_ONLY},
        ),
        Engine(
            "uvicorn",
            "HTTP/1.1 by httptools; HTTP/2 by dynconnect",
            extra="uvicorn",
            lacks={Ability.HTTP3: _TCP_ONLY},
        ),
        Engine(
            "pyvoy",
            "everything by Envoy, in a process of its own",
            extra="pyvoy",
            lacks={
                Ability.UPGRADE: "Envoy has none",
                Ability.WORKERS: "Envoy is one process, and its threads do not help Python",
                Ability.RELOAD: _ELSEWHERE,
                Ability.SHUTDOWN: _ELSEWHERE,
            },
            outside=True,
        ),
    )
}

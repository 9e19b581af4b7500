"""What is served, as its user named it: values alone, of which every process makes the same server."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynconnect.live.build import Draft, build_in_thread, prepare
from dynconnect.live.generation import Generation
from dynconnect.live.inputs import Inputs
from dynconnect.rpc.limits import Limits
from dynconnect.schema.json.options import JsonOptions
from dynconnect.server.asgi import Server
from dynconnect.server.asgi_call import App
from dynconnect.server.console.console import Console
from dynconnect.server.console.state import Shown
from dynconnect.server.cors import Cors
from dynconnect.server.feed import Feed


@dataclass(frozen=True, slots=True)
class Service:
    """Files, and how they are served.

    Attributes:
        origins: whose pages may call; ``*`` is any.
        drain: seconds that calls of a replaced generation may go on; None lets them.
        reflect: which services reflection shows, as patterns; see `Server`.
        dev: see `Server`.
        json: how services are written and read as JSON that do not say it themselves.
        mock: whether methods without a handler are mocked.
        explorer: whether everybody may use the explorer, and not only this machine, under `dev`.
    """

    inputs: Inputs
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    drain: float | None = None
    reflect: tuple[str, ...] = ("*",)
    dev: bool = False
    json: JsonOptions = field(default_factory=JsonOptions)
    mock: bool = False
    explorer: bool = False

    @property
    def explored(self) -> bool:
        """Whether there is an explorer."""
        return self.dev or self.explorer

    def prepare(self) -> Draft:
        """The draft of the first generation of the files as they are. It blocks.

        Raises:
            FindingsError: with every finding.
        """
        of = self.inputs
        return prepare(
            of.schema, of.plugins, config=of.config, protoc=of.protoc, json=self.json, mock=self.mock
        )

    async def build(self, number: int, predecessor: Generation | None) -> Generation:
        """The generation *number* of the files as they are, which is to take over from *predecessor*.

        Raises:
            FindingsError: with every finding.
        """
        of = self.inputs
        return await build_in_thread(
            of.schema, of.plugins, number, predecessor, of.config, of.protoc, self.json, mock=self.mock
        )

    def server(self, generation: Generation | Draft) -> Server:
        """A server that begins with *generation*; see there what becomes of a draft."""
        feed = Feed() if self.explored else None
        server = Server(
            generation, limits=self.limits, drain=self.drain, reflect=self.reflect, dev=self.dev, feed=feed
        )
        shown = None if feed is None else Shown(server, feed, everybody=self.explorer)
        return server.wrap(Console(server.statuses, server.not_found, shown))

    def app(self, server: Server) -> App:
        """*server* with all that stands in front of it."""
        # Any header: the protocols' metadata are headers, and only the schema's author knows their names.
        return Cors(server, self.origins, allow_headers=["*"]) if self.origins else server

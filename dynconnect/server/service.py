"""What is served, as its user named it: values alone, of which every process makes the same server."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynconnect.live.build import build_in_thread
from dynconnect.live.generation import Generation
from dynconnect.live.inputs import Inputs
from dynconnect.rpc.limits import Limits
from dynconnect.server.asgi import Server
from dynconnect.server.asgi_call import App
from dynconnect.server.cors import Cors


@dataclass(frozen=True, slots=True)
class Service:
    """Files, and how they are served.

    Attributes:
        origins: whose pages may call; ``*`` is any.
        drain: seconds that calls of a replaced generation may go on; None lets them.
        show_generation: name the generation that answers in a response header.
    """

    inputs: Inputs
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    drain: float | None = None
    show_generation: bool = False

    async def build(self, number: int) -> Generation:
        """The generation *number* of the files as they are, built in a thread.

        Raises:
            FindingsError: with every finding.
        """
        inputs = self.inputs
        return await build_in_thread(inputs.schema, inputs.plugins, number, inputs.protoc)

    def server(self, generation: Generation) -> Server:
        """A server that begins with *generation*."""
        return Server(generation, limits=self.limits, drain=self.drain, show_generation=self.show_generation)

    def app(self, server: Server) -> App:
        """*server* with all that stands in front of it."""
        # Any header: the protocols' metadata are headers, and only the schema's author knows their names.
        return Cors(server, self.origins, allow_headers=["*"]) if self.origins else server

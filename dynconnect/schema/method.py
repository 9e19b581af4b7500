"""Methods: an RPC as the schema declares it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from dynconnect.schema.messages import adopt, build


class Method:
    """An RPC: its names, its shape, its messages and its options.

    Args:
        descriptor: the method in its private pool.
        options: its options in the pool's own MethodOptions class, so that custom ones are readable.
        find_class: from the full name of a message to its class.
    """

    def __init__(
        self, descriptor: MethodDescriptor, options: Message, find_class: Callable[[str], type[Message]]
    ) -> None:
        self.name: str = descriptor.name
        self.service_name: str = descriptor.containing_service.full_name
        self.full_name: str = descriptor.full_name
        self.path = f"/{self.service_name}/{self.name}"
        """Its HTTP path."""
        self.client_streaming: bool = descriptor.client_streaming
        self.server_streaming: bool = descriptor.server_streaming
        self.streaming = self.client_streaming or self.server_streaming
        self.no_side_effects = descriptor.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
        """Whether Connect may call it by GET."""
        self.deprecated: bool = descriptor.GetOptions().deprecated
        self.options = options
        self._descriptor = descriptor
        self._find_class = find_class

    def __repr__(self) -> str:
        return f"Method({self.full_name})"

    @cached_property
    def input(self) -> type[Message]:
        """The class of requests, made at first use."""
        return self._find_class(self._descriptor.input_type.full_name)

    @cached_property
    def output(self) -> type[Message]:
        """The class of responses, made at first use."""
        return self._find_class(self._descriptor.output_type.full_name)

    def as_output(self, value: object) -> Message:
        """*value* as an `output`.

        It may be one already, one of another generation or pool (bytes are the bridge), or a mapping of
        field names; a None in it leaves a field unset.

        Raises:
            TypeError: it is something else, or its fields do not fit; the text names the method.
        """
        output = self.output
        if isinstance(value, output):
            return value
        if isinstance(value, Mapping):
            try:
                return build(output, value)
            except (TypeError, ValueError, AttributeError) as exc:
                raise TypeError(f"{self.full_name} answered fields that do not fit: {exc}") from exc
        expected = output.DESCRIPTOR.full_name
        if isinstance(value, Message) and value.DESCRIPTOR.full_name == expected:
            return adopt(output, value)
        raise TypeError(
            f"{self.full_name} must answer a {expected} or a dict of its fields, not {_named(value)}"
        )


def _named(value: object) -> str:
    if value is None:
        return "None: is a return missing?"
    return value.DESCRIPTOR.full_name if isinstance(value, Message) else type(value).__name__

"""ProtoJSON, compiled: for each type of message a function that writes it and one that reads it.

`document` turns text into values and back, by orjson; `encoder` and `decoder` turn values into messages and
back. A type is compiled at its first use, and what comes of it belongs to the codec, so to its generation.
Source: Protocol Buffers, "ProtoJSON Format".
"""

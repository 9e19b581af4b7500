"""The schema: from descriptor sets to messages, methods and codecs, with no generated code.

Everything hangs on a pool of its own, so that two versions of a schema live side by side and
either can be dropped. Nothing in this room knows asyncio or sockets, and it imports only `rpc`.
"""

"""The words of an RPC: what handlers, interceptors and every layer above speak in.

Nothing in this room does input or output, and it imports nothing else of dynconnect.
"""

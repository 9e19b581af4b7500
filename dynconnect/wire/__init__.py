"""Bytes and headers to messages and events, and back: Connect, gRPC and gRPC-Web without I/O."""

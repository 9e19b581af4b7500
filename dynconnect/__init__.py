"""A Connect, gRPC and gRPC-Web server that needs no generated code."""

"""Calls over HTTP: the dispatcher, the ASGI application, and the servers under it."""

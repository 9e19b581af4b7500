"""Calling the methods of any server: `Client` is the front, and everything behind it is its own affair."""

from dynconnect.client.client import Client

__all__ = ["Client"]

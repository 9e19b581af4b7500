"""Calling RPCs of any server: `client.Client` is the front, everything behind it is its own affair."""

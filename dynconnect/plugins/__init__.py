"""Plugins: how handlers are marked, found, loaded anew for each generation, and bound to RPCs.

A plugin is a Python module with marked objects. Nothing in it is registered anywhere: what a
generation serves is what it finds, and when it is dropped nothing of it stays.
"""

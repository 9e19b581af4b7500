"""Generations: everything a call needs, built aside and swapped as one.

A generation never changes. The schema and the plugins of the next one are read, checked and bound
before a single call sees it, and the last call of an old one lets go of it.
"""

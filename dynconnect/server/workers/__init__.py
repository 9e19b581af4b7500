"""Worker processes: several that serve at one endpoint, all the same generation, under one supervisor.

The supervisor listens, and neither loads plugins nor serves. Its workers are new interpreters, not
forks: they share with it the listening sockets, a pipe of `messages` each, and nothing by accident.
"""

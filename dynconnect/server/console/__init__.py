"""What is served beside RPCs, for people and probes that have HTTP alone: the one place that knows Quart."""

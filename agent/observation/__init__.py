"""Logs, traces and the annotator: what observes the agent and never changes what it does."""

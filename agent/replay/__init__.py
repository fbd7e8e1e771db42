"""The agent's own graphs over a span of the past, for the book: replay, its stage, and its tables."""

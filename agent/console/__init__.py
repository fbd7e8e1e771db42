"""The operator's console: a page, metrics and messages made from the agent's files, which run apart from the agent."""

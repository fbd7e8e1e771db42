"""Where market data come from.

Closed bars and settled funding by REST, and the websocket hint that a bar has closed.
"""

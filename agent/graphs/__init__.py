"""The three LangGraph graphs (fast tick, slow tick, governor), their checkpoints, and one tick of each from outside.

Wiring only.
"""

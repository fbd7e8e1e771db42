"""From closed bars to one signal.

The pairs followed, the features stepped forward, the decision, the risk checks, and the signal put together. The
graphs call these functions; nothing here knows about graphs.
"""

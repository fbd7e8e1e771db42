"""What the agent remembers between ticks.

The memory that commits a tick, the ledger of each pair, and the sealed files that hold them.
"""

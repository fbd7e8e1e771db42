"""Statistical arbitrage between perpetual futures: one thin library for the research book and the live agent.

Research and education only; nothing here is investment advice.
"""

__version__ = "0.1.0"

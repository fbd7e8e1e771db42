"""Statistical arbitrage between perpetual futures: one thin library for the research book and the live agent.

Research and education only; nothing here is investment advice.
"""

from perpfut_lib.machine_code import use_fresh_cache

__version__ = "0.1.0"

use_fresh_cache()

"""The three graphs, compiled, for LangGraph Studio: to be looked at; they run under ``perpfut agent``."""

from agent.graphs.fast_tick import fast_tick_graph
from agent.graphs.governor import governor_graph
from agent.graphs.slow_tick import slow_tick_graph

slow_tick = slow_tick_graph().compile()
fast_tick = fast_tick_graph().compile()
governor = governor_graph().compile()

"""The cost frontier: what recorded and simulated spreads earn per traded notional, by decision interval and delay."""

from perpfut_lib.frontier.pooled import CHOSEN, TEXTBOOK, ExecutionRow, Row, execution_rows, frontier_rows
from perpfut_lib.frontier.study import study_period
from perpfut_lib.frontier.sums import Sums

__all__ = ["CHOSEN", "TEXTBOOK", "ExecutionRow", "Row", "Sums", "execution_rows", "frontier_rows", "study_period"]

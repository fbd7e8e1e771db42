"""The cost frontier: what recorded and simulated spreads earn per traded notional, by decision interval and delay."""

from perpfut_lib.frontier.pooled import CHOSEN, TEXTBOOK, Row, frontier_rows
from perpfut_lib.frontier.study import study_period
from perpfut_lib.frontier.sums import Sums

__all__ = ["CHOSEN", "TEXTBOOK", "Row", "Sums", "frontier_rows", "study_period"]

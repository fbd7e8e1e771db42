"""Which symbols may be paired at a moment, judged by nothing that came after it."""

from perpfut_lib.universe.eligibility import daily_turnover, eligible_at, eligible_windows, match_names

__all__ = ["daily_turnover", "eligible_at", "eligible_windows", "match_names"]

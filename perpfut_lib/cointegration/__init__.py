"""Which pairs move together: the Engle-Granger test, its scan over pairs and windows, and the pair-days traded.

What reads a run loads on first use: the tests themselves need neither files nor the stages before them.
"""

import importlib
from typing import TYPE_CHECKING, Any

from perpfut_lib.cointegration.engle_granger import EngleGranger, engle_granger
from perpfut_lib.cointegration.scan import scan

if TYPE_CHECKING:
    from perpfut_lib.cointegration.stage import load_pair_days, load_tests, load_windows

_OF_A_RUN = ("load_pair_days", "load_tests", "load_windows")

__all__ = ["EngleGranger", "engle_granger", "load_pair_days", "load_tests", "load_windows", "scan"]


def __getattr__(name: str) -> Any:
    if name in _OF_A_RUN:
        return getattr(importlib.import_module("perpfut_lib.cointegration.stage"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Which pairs move together: the Engle-Granger test, its scan over pairs and windows, and the pair-days traded."""

from perpfut_lib.cointegration.engle_granger import EngleGranger, engle_granger
from perpfut_lib.cointegration.scan import scan
from perpfut_lib.cointegration.stage import load_pair_days, load_tests, load_windows

__all__ = ["EngleGranger", "engle_granger", "load_pair_days", "load_tests", "load_windows", "scan"]

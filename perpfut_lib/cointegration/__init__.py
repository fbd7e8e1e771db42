"""Which pairs move together: the Engle-Granger test, its scan over pairs and windows, and the pair-days traded."""

from perpfut_lib.cointegration.engle_granger import EngleGranger, engle_granger

__all__ = ["EngleGranger", "engle_granger"]

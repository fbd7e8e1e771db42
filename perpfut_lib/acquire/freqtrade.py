"""Feather files as freqtrade keeps them: one file per pair, what it holds is in its name.

``XRP_USDT_USDT-1h-futures.feather`` holds candles of XRPUSDT, ``XRP_USDT_USDT-8h-funding_rate.feather`` its funding
rates (in the column ``open``); the symbol becomes Binance's name. Mark-price files are left aside.
"""

import re
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(
    r"(?P<base>\w+?)_(?P<quote>[A-Z]+)(?:_[A-Z]+)?-(?P<length>\d+[mhdw])(?:-(?P<kind>futures|mark|funding_rate))?"
)


def symbol_in(path: Path) -> str | None:
    """Return the symbol that a freqtrade file's name tells, None for any other name."""
    match = _NAME.fullmatch(path.stem)
    return match["base"] + match["quote"] if match and path.suffix == ".feather" else None


def is_wanted(path: Path, timeframe: str | None) -> bool:
    """Return whether a file of a folder holds what is looked for; a file that is not freqtrade's always does.

    Parameters
    ----------
    path : Path
        The file.
    timeframe : str or None
        Length of the candles looked for, ``any`` for any length; None for funding rates.
    """
    match = _NAME.fullmatch(path.stem)
    if match is None or path.suffix != ".feather":
        return True
    if timeframe is None:
        return match["kind"] == "funding_rate"
    return match["kind"] in (None, "futures") and timeframe in ("any", match["length"])


def is_funding(path: Path) -> bool:
    """Return whether a file holds funding rates as freqtrade keeps them, in the column ``open``."""
    match = _NAME.fullmatch(path.stem)
    return match is not None and match["kind"] == "funding_rate" and path.suffix == ".feather"

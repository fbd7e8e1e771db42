"""What every configuration section shares: frozen, unknown keys refused, durations with units, a hash."""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from perpfut_lib.types import DAY_MS, HOUR_MS, MINUTE_MS

_UNITS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION = re.compile(r"(\d+)\s*([mhd])")


def parse_duration(text: Any) -> int:
    """Return milliseconds from text such as ``"1m"``, ``"8h"`` or ``"3d"``; integers pass through as milliseconds."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = _DURATION.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"a duration is a whole number and one of m, h, d (such as 1m, 8h, 3d), not {text!r}")
    return int(match[1]) * _UNITS[match[2]]


def format_duration(milliseconds: int) -> str:
    """Return the shortest text that :func:`parse_duration` reads back as ``milliseconds``."""
    for unit in "dhm":
        if milliseconds % _UNITS[unit] == 0:
            return f"{milliseconds // _UNITS[unit]}{unit}"
    raise ValueError(f"{milliseconds} ms is not a whole number of minutes")


def format_time(milliseconds: int) -> str:
    """Return a time stamp as readable UTC text, such as ``2025-05-04 15:37``, finer only where it has to be."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    text = moment.strftime("%Y-%m-%d %H:%M" if milliseconds % MINUTE_MS == 0 else "%Y-%m-%d %H:%M:%S")
    return text + (f".{milliseconds % 1000:03d}" if milliseconds % 1000 else "")


Duration = Annotated[int, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)]


class Section(BaseModel):
    """One stage's settings. Frozen; unknown keys are refused; every field says its unit in its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)

    def content_hash(self) -> str:
        """Return the SHA-256 of this section's canonical JSON."""
        return hash_json(self.model_dump(mode="json"))


def hash_json(value: Any) -> str:
    """Return the SHA-256 (hex) of ``value`` written as canonical JSON: sorted keys, no spaces, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()

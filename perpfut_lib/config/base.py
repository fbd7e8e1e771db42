"""What every configuration section shares: frozen, unknown keys refused, durations with units, a hash."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, model_validator

from perpfut_lib.types import DAY_MS, HOUR_MS, MINUTE_MS, Json

_UNITS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION = re.compile(r"(\d+)\s*([mhd])")


def parse_duration(text: object) -> int:
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

    @model_validator(mode="before")
    @classmethod
    def _keep_defaults(cls, given: Any) -> Any:
        """Lay a part of a nested section over this section's own default of it, not over that of its class."""
        if not isinstance(given, Mapping):
            return given
        tree = dict(given)
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if isinstance(field.default, Section) and isinstance(tree.get(key), Mapping):
                tree[key] = _laid_over(field.default.model_dump(by_alias=True, exclude_unset=True), tree[key])
        return tree

    def content_hash(self) -> str:
        """Return the SHA-256 of this section's canonical JSON."""
        return hash_json(self.model_dump(mode="json"))


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``above`` completed by ``below``, at every depth."""
    tree = {**below, **above}
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping):
            tree[key] = _laid_over(below[key], value)
    return tree


def hash_json(value: Json) -> str:
    """Return the SHA-256 (hex) of ``value`` written as canonical JSON: sorted keys, no spaces, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()

"""Settings of the attribution: from the original study's rules to correct ones, one step at a time."""

from typing import Any, Final, Self

from pydantic import Field, model_validator

from perpfut_lib.config.base import Section


class Rung(Section):
    """One correction, kept on all rungs above it."""

    name: str
    """What is corrected, in a few words."""
    fault: int = Field(ge=1, le=14)
    """Number of the fault in the list of the original study's faults."""
    settings: dict[str, Any]
    """Dotted settings and the values that they take from this rung on."""


SEED_RULES: Final[dict[str, Any]] = {
    "env.fill": "same_close",
    "env.legs": "equal",
    "env.pay_funding": False,
    "features.spec": "seed-rules",
    "features.clip": 5.0,
    "evaluate.portfolio": "concatenated",
}

RUNGS: Final = (
    Rung(name="fill at the next open", fault=7, settings={"env.fill": "next_open"}),
    Rung(name="legs sized by the hedge ratio", fault=2, settings={"env.legs": "beta"}),
    Rung(name="funding is paid", fault=1, settings={"env.pay_funding": True}),
    Rung(name="one filter in training and live", fault=3, settings={"features.spec": "default"}),
    Rung(name="observations are not clipped", fault=8, settings={"features.clip": 10.0}),
    Rung(name="portfolio in calendar time", fault=6, settings={"evaluate.portfolio": "calendar"}),
)


class AttributionConfig(Section):
    """The ladder. Every rung trains its own agents with the same budget."""

    start: dict[str, Any] = SEED_RULES
    """Settings of the lowest rung: the original study's rules."""
    rungs: tuple[Rung, ...] = RUNGS
    """Corrections in order."""
    total_steps: int = Field(262_144, ge=1)
    """Environment steps per agent on every rung."""
    seeds: int = Field(1, ge=1)
    """Seeds per fee regime on every rung."""

    @model_validator(mode="after")
    def _rungs_change_something(self) -> Self:
        empty = [rung.name for rung in self.rungs if not rung.settings]
        if empty:
            raise ValueError(f"rungs without settings: {', '.join(empty)}")
        return self

"""Settings of the attribution: from the original study's rules to correct ones, one step at a time."""

from typing import Final, Self

from pydantic import Field, model_validator

from perpfut_lib.config.base import Section
from perpfut_lib.types import JsonObject

SEED_RULES: Final[JsonObject] = {
    "env.fill": "same_close",
    "env.legs": "equal",
    "env.pay_funding": False,
    "evaluate.benchmark": "constant-spread",
    "train.horizons": "unequal",
    "evaluate.portfolio": "concatenated",
    "cointegration.correlation": "whole",
    "cointegration.critical": "dickey-fuller",
    "features.spec": "seed-rules",
    "features.clip": 5.0,
}


class Rung(Section):
    """One correction, kept on all rungs above it."""

    name: str
    """What is corrected, in a few words."""
    fault: int = Field(ge=1, le=14)
    """Number of the fault in the list of the original study's faults."""
    settings: JsonObject
    """Dotted settings and the values that they take from this rung on."""

    @property
    def for_agents_only(self) -> bool:
        """Whether a rule that looks at the spread alone cannot tell the difference."""
        return all(key.startswith(("train.", "features.")) for key in self.settings)


RUNGS: Final = (
    Rung(name="fill at the next open", fault=7, settings={"env.fill": "next_open"}),
    Rung(name="legs sized by the hedge ratio", fault=2, settings={"env.legs": "beta"}),
    Rung(name="funding is paid", fault=1, settings={"env.pay_funding": True}),
    Rung(name="a benchmark that pays its way", fault=9, settings={"evaluate.benchmark": "flat"}),
    Rung(name="equal training for every fee", fault=10, settings={"train.horizons": "equal"}),
    Rung(name="portfolio in calendar time", fault=6, settings={"evaluate.portfolio": "calendar"}),
    Rung(name="correlation of the past only", fault=4, settings={"cointegration.correlation": "formation"}),
    Rung(name="critical values for residuals", fault=5, settings={"cointegration.critical": "engle-granger"}),
    Rung(name="one filter in training and live", fault=3, settings={"features.spec": "default"}),
    Rung(name="observations are not clipped", fault=8, settings={"features.clip": 10.0}),
)


class AttributionConfig(Section):
    """The ladder. Every rung trains its own agents as the study does, or has none."""

    start: JsonObject = SEED_RULES
    """Settings of the lowest rung: the original study's rules."""
    rungs: tuple[Rung, ...] = RUNGS
    """Corrections in order; several seeds (fault 14) are always the last one."""
    agents: bool = True
    """Whether agents are trained anew on every rung; without, the ladder is one of rules, and corrections that concern
    training or observations only have no rung."""
    total_steps: int | None = Field(None, ge=1)
    """Environment steps per agent on every rung; by default as many as ``train.total_steps``: an agent that learned
    less than the study's says nothing about a correction."""
    evaluations: int | None = Field(None, ge=1)
    """Validation rounds per training on every rung; by default as many as ``train.evaluations``."""
    seeds: int = Field(2, ge=2)
    """Seeds per fee regime on the last rung; all others have one."""
    alone: bool = True
    """Whether each fault is also put alone into the correct rules."""
    latencies: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    """Bars after the next open at which the fixed decisions of the trained agents are filled, one by one."""

    @model_validator(mode="after")
    def _rungs_change_something(self) -> Self:
        empty = [rung.name for rung in self.rungs if not rung.settings]
        if empty:
            raise ValueError(f"rungs without settings: {', '.join(empty)}")
        unknown = [key for rung in self.rungs for key in rung.settings if key not in self.start]
        if unknown:
            raise ValueError(f"rungs that correct what start does not set: {', '.join(unknown)}")
        return self

"""The original study's own settings, from its profile: what the lowest rung takes over, and what it leaves out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from perpfut_lib.config import Profile, load_profile
from perpfut_lib.config.attribution import SEED_RULES
from perpfut_lib.types import JsonObject

ORIGINAL: Final = "seed-rules"
"""Profile of the original study's rules."""
MARKET: Final = ("data", "quality", "universe", "split", "cointegration.formation", "cointegration.trading")
"""What is traded when: each profile has its own, on all rungs."""
MEASURE: Final = ("costs.fees_bps", "evaluate")
"""What is asked of a result: the same on all rungs, but for what is a fault."""
CHOSEN: Final = {
    "train": "this study's learner",
    "env": "this study's reward",
    "features": "this study's observation",
    "costs": "this study's costs",
    "cointegration": "this study's screen",
}
"""What the original study chose otherwise without fault, section by section in the order of correction: the learner
first, since one environment at a time is slow."""


@dataclass(frozen=True)
class Difference:
    """One setting in which a rung differs from the original study."""

    setting: str
    here: Any
    original: Any

    @property
    def section(self) -> str:
        """Name of its section."""
        return self.setting.partition(".")[0]

    @property
    def of_market(self) -> bool:
        """Whether it says what is traded when."""
        return self.setting.startswith(MARKET)

    @property
    def of_measure(self) -> bool:
        """Whether it says what is asked of a result."""
        return self.setting.startswith(MEASURE)


def differences(profile: Profile) -> Iterator[Difference]:
    """Yield every setting that a study reads in which a profile differs from the original study."""
    own, original = (dict(_flat(one.model_dump(mode="json"))) for one in (profile, load_profile(ORIGINAL)))
    for setting, value in own.items():
        read = setting.partition(".")[0] in {*CHOSEN, *MARKET, *MEASURE}
        if read and value != original[setting]:
            yield Difference(setting, value, original[setting])


def choices(profile: Profile, effort: Mapping[str, Any]) -> dict[str, JsonObject]:
    """Return what the original study chose otherwise without fault, by section: its dotted settings and values.

    Nothing where the ladder has no agents, or starts from some faults only.

    Parameters
    ----------
    profile : Profile
        The correct rules.
    effort : mapping
        Settings that are the same on all rungs.
    """
    attribution, found = profile.attribution, dict[str, JsonObject]()
    if not attribution.agents or attribution.start != SEED_RULES:
        return found
    for one in differences(profile):
        if not (one.of_market or one.of_measure) and one.setting not in {*attribution.start, *effort}:
            found.setdefault(one.section, {})[one.setting] = one.original
    return {section: found[section] for section in CHOSEN if section in found}


def values_of(profile: Profile, settings: Mapping[str, Any]) -> JsonObject:
    """Return a profile's own values of dotted settings."""
    own = dict(_flat(profile.model_dump(mode="json")))
    return {setting: own[setting] for setting in settings}


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value

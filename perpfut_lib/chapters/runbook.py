"""The runbook's tables, made from the code that raises codes and alarms: a new one without its line stops the build."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

from perpfut_lib.artifacts import Freshness, Reason, Run, read_published
from perpfut_lib.artifacts.reasons import REASONS
from perpfut_lib.chapters.executor_cases import CASES
from perpfut_lib.chapters.tables import markdown_table, settings_table
from perpfut_lib.config import AlarmConfig, GovernorConfig, Profile
from perpfut_lib.report import alarm_table, books_table, outage_table
from perpfut_lib.types import JsonObject

PUBLISHED: Final = "containers"
OUTAGE: Final = "agent/outage"
ALARMS: Final = "agent/alarms"
SIMULATED: Final = "agent/simulation"
CHAOS: Final = "agent/chaos"
BOOKS: Final = "agent/books"

FRESHNESS: Final[Mapping[Freshness, str]] = {
    Freshness.FRESH: "Acted on.",
    Freshness.REPLAYED: "A lower number than one seen before: an old file was put back. Find out by whom.",
    Freshness.REUSED: "The same number with other content: two writers. Stop one of them.",
    Freshness.FUTURE: "Written later than now, beyond the allowed skew: mend the clocks of both machines.",
    Freshness.EXPIRED: "Its time is over: the agent is late or down.",
    Freshness.AGED: "The newest for too long by the monotonic clock: the agent is down, or its clock was set back.",
}
"""What a reader of a document concludes, and what that tells."""


def reason_codes(profile: Profile, run: Run) -> str:
    """Return every reason code of a signal with its meaning and what to do."""
    rows = [{"code": f"`{code}`", "means": REASONS[code][0], "do": REASONS[code][1]} for code in Reason]
    return markdown_table(pd.DataFrame(rows))


def freshness_table(profile: Profile, run: Run) -> str:
    """Return every verdict of a document's reader."""
    return markdown_table(pd.DataFrame([{"verdict": f"`{each}`", "means": FRESHNESS[each]} for each in Freshness]))


def alarms(profile: Profile, run: Run) -> str:
    """Return the governor's alarms with the profile's thresholds.

    Parameters
    ----------
    profile : Profile
        Settings of the run.
    run : Run
        Where its artifacts are.
    """
    config, rows = profile.agent.governor, []
    for name, field in GovernorConfig.model_fields.items():
        limits = getattr(config, name)
        if isinstance(limits, AlarmConfig):
            rows.append(
                {
                    "alarm": f"`{name}`",
                    "watches, and asks for": field.description,
                    "raised at": f"{limits.enter:g}",
                    "cleared at": f"{limits.leave:g}",
                }
            )
    return markdown_table(pd.DataFrame(rows))


def agent_settings(profile: Profile, run: Run) -> str:
    """Return the agent's settings and its limits."""
    return f"{settings_table(profile.agent).data}\n\n**agent.risk**\n\n{settings_table(profile.agent.risk).data}"


def containers(profile: Profile, run: Run) -> str:
    """Return the measurements of the agent's image."""
    measured: JsonObject = read_published(PUBLISHED)
    rows = [{"what": row["what"], "measured": f"{row['value']:g} {row['unit']}"} for row in measured["rows"]]
    return markdown_table(pd.DataFrame(rows)) + f"\n\n{measured['how']}"


def outage(profile: Profile, run: Run) -> str:
    """Return what is lost when everything of ours is dead, with and without stops."""
    kept: JsonObject = read_published(OUTAGE)
    how = (
        f"Stops at {100 * kept['distance']:g} % of the price behind a pair of {kept['gross']:g} times the equity, on "
        "the local exchange. Each row is the worst of its deaths, as a share of the equity before the market moves."
    )
    return markdown_table(outage_table(kept).reset_index()) + f"\n\n{how}"


def alarm_times(profile: Profile, run: Run) -> str:
    """Return how long after each fault people are told of it."""
    kept: JsonObject = read_published(ALARMS)
    how = (
        f"Seconds of the loop's own time, from the fault to the message; `perpfut console watch` looks every "
        f"{kept['watch_s']:g} s. Silence is told when its limit has passed, and a decision when its bar has closed."
    )
    return markdown_table(alarm_table(kept).reset_index()) + f"\n\n{how}"


CHAOS_ROWS: Final[Mapping[str, str]] = {
    "signals": "signals",
    "bars": "bars from the first signal to the last",
    "resumed": "ticks that went on from a checkpoint",
    "lost": "bars without a signal",
    "lost_alive": "of these, while an agent was alive that had signalled before",
    "repeated": "second signals of a bar",
    "different": "signals that an undisturbed agent would have given otherwise",
    "failed": "signals of a tick that failed",
    "ended": "processes that ended by themselves",
}
"""What the outcome of the chaos trial counts, in words."""


def chaos(profile: Profile, run: Run) -> str:
    """Return what was killed, and what its signals were beside those of an agent that nobody killed."""
    kept: JsonObject = read_published(CHAOS)
    killed: dict[str, int] = {}
    for row in kept["kills"]:
        killed[row["victim"]] = killed.get(row["victim"], 0) + row["kills"]
    rows = [{"what": told, "count": kept["outcome"][name]} for name, told in CHAOS_ROWS.items()]
    victims = ", ".join(f"{victim} {count}" for victim, count in killed.items())
    how = (
        f"{sum(killed.values())} kills ({victims}) in {kept['seconds'] / 60:.0f} minutes, the exchange's clock "
        f"{kept['speed']:g} times as fast as ours, seed {kept['seed']}."
    )
    return markdown_table(pd.DataFrame(rows)) + f"\n\n{how}"


def simulation(profile: Profile, run: Run) -> str:
    """Return the counts of the deterministic simulation, and what it says of faults that were planted."""
    kept: JsonObject = read_published(SIMULATED)
    told = {
        "schedules": f"{kept['schedules']:,}",
        "seconds of the virtual clock": f"{kept['ticks']:,}",
        "orders": f"{kept['orders']:,}",
        "stops": f"{kept['stops']:,}",
        "crashes of the executor": f"{kept['crashes']:,}",
        **{name: f"{count:,}" for name, count in kept.get("shocks", {}).items()},
        "violations": str(len(kept["violations"])),
        "longest time without a hedge (s), and its bound": f"{kept['longest_unhedged_s']:g}, {kept['bound_s']:g}",
        "longest time without a stop (s), and its bound": f"{kept['longest_bare_s']:g}, {kept['bare_bound_s']:g}",
    }
    planted = [
        {"what": f"planted: {one['fault']}", "count": f"found by {one['found']} of {one['schedules']} schedules"}
        for one in kept["planted"]
    ]
    rows = [{"what": name, "count": count} for name, count in told.items()]
    return markdown_table(pd.DataFrame([*rows, *planted]))


def books(profile: Profile, run: Run) -> str:
    """Return what audit trail, ledger and exchange say after a long schedule of faults."""
    kept: JsonObject = read_published(BOOKS)
    shocks = ", ".join(f"{count} {name}" for name, count in kept["shocks"].items())
    how = (
        f"{kept['minutes']} minutes of the exchange's clock under random faults (seed {kept['seed']}): "
        f"{kept['orders']:,} orders, {kept['crashes']} crashes of the executor, {shocks}; "
        f"differences: {len(kept['differences'])}."
    )
    return markdown_table(books_table(kept).reset_index()) + f"\n\n{how}"


def executor_cases(profile: Profile, run: Run) -> str:
    """Return the cases in which the executor did wrong once, before and after."""
    rows = [{"case": one.case, "before": one.before, "now": one.now} for one in CASES]
    return markdown_table(pd.DataFrame(rows))

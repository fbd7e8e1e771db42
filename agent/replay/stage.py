"""The replay stage: part of the test span through the agent's own graphs, kept for the book."""

from typing import Final

import pandas as pd

from agent.decision.context import open_policy, require_live_rules
from agent.replay.replay import replay, tested_span
from agent.replay.report import PARITY_COLUMNS, SIGNAL_COLUMNS, graph_edges, load_signals, parity_table, signal_table
from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.config import Profile
from perpfut_lib.errors import ConfigError

SIGNALS: Final = "signals.parquet"
PARITY: Final = "parity.parquet"
GRAPHS: Final = "graphs.json"
RULES: Final = "rules.json"


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Write the signals of a replay from the start of the test span, and how they compare with the evaluation's.

    Rules that no exchange offers (the original study's fills) cannot be replayed, nor can a policy that was not
    trained: then both tables are empty, and ``rules.json`` says why.
    """
    folder.write_json(GRAPHS, graph_edges())
    profile = profile.changed({"agent.policy": profile.agent.replay_policy})
    obstacle = _obstacle(profile, run)
    folder.write_json(RULES, {"replayed": not obstacle, "obstacle": obstacle})
    if obstacle:
        folder.write_table(SIGNALS, pd.DataFrame(columns=list(SIGNAL_COLUMNS)))
        folder.write_table(PARITY, pd.DataFrame(columns=list(PARITY_COLUMNS)))
        return
    start, end = tested_span(run)
    settings = profile.agent
    replayed = replay(profile, run, start, min(end, start + settings.replay), restarts=settings.replay_restarts)
    signals = load_signals(replayed)
    folder.write_table(SIGNALS, signal_table(signals))
    folder.write_table(PARITY, parity_table(profile, run, signals))


def _obstacle(profile: Profile, run: Run) -> str:
    """Return why nothing can be replayed; empty where it can."""
    try:
        require_live_rules(profile)
    except ConfigError as error:
        return error.found
    return "" if open_policy(profile, run) is not None else f"no policy {profile.agent.policy}"

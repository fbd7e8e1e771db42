"""Tables about the agent, for the book and for people: what was signalled, and whether it is what was evaluated."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from langgraph.graph import StateGraph

from agent.decision.context import TradingPolicy, open_policy
from agent.graphs.fast_tick import fast_tick_graph
from agent.graphs.governor import governor_graph
from agent.graphs.slow_tick import slow_tick_graph
from perpfut_lib.accounting import BPS, Costs
from perpfut_lib.artifacts import AgentFolder, Run, Signal
from perpfut_lib.config import Profile
from perpfut_lib.env import Episodes, load_episodes
from perpfut_lib.errors import MissingInputError
from perpfut_lib.evaluate import Rollout, rollout

GRAPHS: Final[dict[str, Callable[[], StateGraph[Any, Any, Any, Any]]]] = {
    "slow tick": slow_tick_graph,
    "fast tick": fast_tick_graph,
    "governor": governor_graph,
}


SIGNAL_COLUMNS: Final = "seq bar_close pair action status reasons y weight_y price_y x weight_x price_x overall".split()
PARITY_COLUMNS: Final = ("window", "pair", "decisions", "equal", "interventions", "largest_difference")


def graph_edges() -> dict[str, list[tuple[str, str, bool]]]:
    """Return the edges of every graph as the code that runs has them: from, to, and whether a condition decides."""
    graphs = {name: build().compile().get_graph() for name, build in GRAPHS.items()}
    return {
        name: [(edge.source, edge.target, edge.conditional) for edge in graph.edges] for name, graph in graphs.items()
    }


def drawings() -> dict[str, str]:
    """Return the graphs as Mermaid text, drawn from the code that runs."""
    return {name: build().compile().get_graph().draw_mermaid() for name, build in GRAPHS.items()}


def load_signals(folder: AgentFolder) -> list[Signal]:
    """Return every signal that the log still holds, oldest first, each once.

    Raises
    ------
    MissingInputError
        The agent has not run.
    """
    files = sorted(folder.decisions.parent.glob("signals*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
    if not files:
        raise MissingInputError(f"no signals in {folder.path}", "a log of signals", "run: perpfut agent replay")
    lines = [line for file in files for line in file.read_text().splitlines()]
    signals = {signal.seq: signal for signal in map(Signal.model_validate_json, lines)}
    return [signals[seq] for seq in sorted(signals)]


def signal_table(signals: Iterable[Signal]) -> pd.DataFrame:
    """Return one row per signal and pair, columns ``SIGNAL_COLUMNS``, with reasons of pair and signal."""
    rows: list[dict[str, Any]] = []
    for signal in signals:
        for report in signal.pairs:
            legs = [leg for leg in signal.legs if leg.pair == report.pair]
            row = {"seq": signal.seq, "bar_close": signal.bar_close, "pair": report.pair, "action": report.action}
            row |= {"status": report.status, "reasons": " ".join(report.reasons) or None}
            row |= {"overall": " ".join(signal.reasons) or None}
            for side, leg in zip("yx", legs, strict=False):
                row |= {side: leg.symbol, f"weight_{side}": leg.weight, f"price_{side}": leg.price}
            rows.append(row)
    return pd.DataFrame(rows, columns=list(SIGNAL_COLUMNS))


def evaluated(profile: Profile, run: Run, policy: TradingPolicy) -> tuple[Episodes, Rollout]:
    """Return the test span's episodes, and what the evaluation decides in them with the agent's policy and costs."""
    episodes = load_episodes(run).select("test")
    costs = Costs(policy.fee_bps * BPS, profile.costs.slippage_bps * BPS)
    return episodes, rollout(episodes, policy.exported, costs)


def parity_table(profile: Profile, run: Run, signals: Iterable[Signal]) -> pd.DataFrame:
    """Return, for every pair-day that the agent saw, how its decisions compare with the evaluation's.

    Columns: ``window`` (UTC), ``pair``, ``decisions`` (bars that the agent decided on), ``equal`` (actions and prices
    equal to the last bit), ``interventions`` (bars at which a risk check changed the target), ``largest_difference``.
    """
    policy = open_policy(profile, run)
    if policy is None:
        raise MissingInputError(f"no policy {profile.agent.policy}", "the one that was replayed", "set agent.policy")
    episodes, research = evaluated(profile, run, policy)
    by_pair = {(row["bar_close"], row["pair"]): row for row in signal_table(signals).to_dict("records")}
    rows = []
    for episode, day in enumerate(episodes.pair_days.to_dict("records")):
        pair, times = f"{day['y']}~{day['x']}", episodes.fill_times[episode, :-1]
        steps = [step for step, time in enumerate(times) if (int(time), pair) in by_pair]
        if steps:
            seen = [by_pair[int(times[step]), pair] for step in steps]
            window = datetime.fromtimestamp(day["start"] / 1000, UTC).strftime("%Y-%m-%d %H:%M")
            rows.append({"window": window, "pair": pair} | _compared(seen, episodes, research, episode, steps))
    return pd.DataFrame(rows, columns=list(PARITY_COLUMNS))


def _compared(
    seen: list[dict[str, Any]], episodes: Episodes, research: Rollout, episode: int, steps: list[int]
) -> dict[str, Any]:
    actions = np.array([row["action"] for row in seen], np.float64)
    prices = np.array([[row["price_y"], row["price_x"]] for row in seen], np.float64)
    wanted = research.action[episode, steps]
    same = (actions == wanted) & (prices == episodes.marks[episode, steps]).all(axis=1)
    return {
        "decisions": len(steps),
        "equal": int(same.sum()),
        "interventions": sum(row["status"] != "active" for row in seen),
        "largest_difference": float(np.nanmax(np.abs(actions - wanted))),
    }

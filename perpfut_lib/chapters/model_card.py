"""The model card: what the agents of a run are, learnt from and attain, as tables from its artifacts."""

from pathlib import Path
from typing import Final

import pandas as pd

from perpfut_lib import report
from perpfut_lib.artifacts import Run
from perpfut_lib.chapters.tables import markdown_table
from perpfut_lib.cointegration.stage import load_pair_days
from perpfut_lib.config import Profile
from perpfut_lib.policies import PolicyCard
from perpfut_lib.policies.exported import Tensors, read_policy
from perpfut_lib.report.style import decimals
from perpfut_lib.report.tables import utc

SHORT_HASH: Final = 12


def model_details(profile: Profile, run: Run) -> str:
    """Return what the agents of a run have in common: observation, network, training, files."""
    agents = _agents(run)
    first, tensors = agents[0]
    rows = {
        "agents": f"{len(agents)}, one for each fee and seed",
        "learner": f"`{first.algorithm}`",
        "sees": f"{first.observation_size} numbers: {len(first.feature_names)} features of {_rows(first.lookback)}, "
        "the weights of both legs, and the cash share",
        "decides": _decides(first),
        "network": _network(first),
        "parameters": f"{sum(tensor.size for tensor in tensors.values()):,}",
        "trained for": f"{first.training['total_steps']:,} decisions each",
        "trained by": f"profile `{first.training['profile']}`, settings {first.training['config_hash'][:SHORT_HASH]}",
    }
    return markdown_table(pd.DataFrame({"what": list(rows), "value": list(rows.values())}))


def model_agents(profile: Profile, run: Run) -> str:
    """Return one row per agent: what it was trained for, how it did on the validation span, and what was exported."""
    rows = [
        {
            "fee (bps)": card.training["fee_bps"],
            "seed": str(card.training["seed"]),
            "validation utility (bps)": decimals(card.training["validation"]["utility"], 1),
            "mean exposure": decimals(card.training["validation"]["exposure"], 2),
            "what is kept": _kept(card),
            "weights (SHA-256)": f"`{card.weights_sha256[:SHORT_HASH]}`",
        }
        for card, _ in _agents(run)
    ]
    return markdown_table(pd.DataFrame(rows))


def model_data(profile: Profile, run: Run) -> str:
    """Return, split by split, from when to when there are pairs, how many episodes, and how many decisions."""
    starts = load_pair_days(run).groupby("split", sort=False)["start"]
    sizes = report.environment_check(run)
    table = pd.DataFrame(
        {
            "span": list(sizes.index),
            "first window (UTC)": list(utc(starts.min().reindex(sizes.index).to_numpy())),
            "last window (UTC)": list(utc(starts.max().reindex(sizes.index).to_numpy())),
            "episodes": sizes["episodes"].to_numpy(),
            "decisions": sizes["decisions"].to_numpy(),
        }
    )
    return markdown_table(table)


def model_results(profile: Profile, run: Run) -> str:
    """Return what each fee's agents attain on the test span, charged that fee: a row per measure, a column per fee."""
    table = report.fee_table(run).xs(_agents(run)[0][0].algorithm, level="agent")
    wide = table.astype(object).T
    wide = wide[~wide.isin([report.NOTHING]).all(axis=1) & wide.notna().any(axis=1)]
    wide.columns = [f"{fee:g} bps" for fee in table.index]
    return markdown_table(wide.rename_axis("measure").reset_index())


def _agents(run: Run) -> list[tuple[PolicyCard, Tensors]]:
    """Return card and weights of every trained agent, by fee and seed."""
    folder: Path = run.stage("train").path / "policies"
    agents = [read_policy(path) for path in folder.glob("*.json")]
    return sorted(agents, key=lambda agent: (agent[0].training["fee_bps"], agent[0].training["seed"]))


def _rows(lookback: int) -> str:
    return "the last bar" if lookback == 1 else f"each of the last {lookback} bars"


def _network(card: PolicyCard) -> str:
    layers = " and ".join(map(str, card.hidden))
    remembers = f"a recurrent layer of {card.lstm} units, then " if card.lstm else ""
    edges = " and ".join(map(str, card.base_hidden))
    base = f"; the rule's edges come from layers of {edges}" if edges else ""
    return f"{remembers}hidden layers of {layers} units, {card.activation}{base}"


def _decides(card: PolicyCard) -> str:
    if card.base_hidden:
        return f"a shift, by at most {card.overlay:g}, of a rule's no-trade region; exposure is what the region allows"
    return f"one of {card.choices} exposures" if card.choices else "the signed exposure to the spread"


def _kept(card: PolicyCard) -> str:
    """Say what was exported: validation may leave the corrections out, or everything."""
    if card.training["abstains"]:
        return "stays flat: nothing gained on validation"
    if not card.base_hidden:
        return "the network"
    return "the rule alone: corrections gained too little" if card.training["uncorrected"] else "the rule, corrected"

"""What training left behind, read without PyTorch: the agents and their learning curves."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from perpfut_lib.artifacts import Run
from perpfut_lib.policies import ExportedPolicy, ExportedRecurrentPolicy, PolicyCard, load_policy

CURVES: Final = "curves.parquet"


@dataclass(frozen=True)
class TrainedPolicy:
    """A trained agent as evaluation and live agent use it."""

    fee_bps: float
    """Fee that it was trained with."""
    seed: int
    policy: ExportedPolicy | ExportedRecurrentPolicy
    card: PolicyCard


def load_policies(run: Run) -> list[TrainedPolicy]:
    """Return every trained agent of a run, by fee and seed, each checked by hash."""
    loaded = [load_policy(path) for path in (run.stage("train").path / "policies").glob("*.json")]
    agents = [TrainedPolicy(p.card.training["fee_bps"], p.card.training["seed"], p, p.card) for p in loaded]
    return sorted(agents, key=lambda agent: (agent.fee_bps, agent.seed))


def load_curves(run: Run) -> pd.DataFrame:
    """Return ``fee_bps``, ``seed``, ``steps`` and ``validation_utility`` (mean sum of rewards per episode)."""
    return run.stage("train").read_table(CURVES)

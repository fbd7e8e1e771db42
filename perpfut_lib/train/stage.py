"""The training stage: one agent per fee regime and seed, exported as card and weights."""

import hashlib
import shutil
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import ComputeConfig, Profile, TrainConfig
from perpfut_lib.env import load_episodes
from perpfut_lib.features.stage import Features, load_features
from perpfut_lib.policies import PolicyCard, pack_weights
from perpfut_lib.progress import CURVE_SUFFIX, tallied
from perpfut_lib.train.agents import CURVES
from perpfut_lib.train.algorithms import SQUASHED
from perpfut_lib.train.fit import Fitted, fit
from perpfut_lib.train.placebo import placebo_episodes
from perpfut_lib.train.trainer import Logbook
from perpfut_lib.train.training_task import TrainingTask

NO_CURVES: Final = pd.DataFrame(
    {"fee_bps": np.zeros(0), "seed": np.zeros(0, np.int64), "steps": np.zeros(0, np.int64), "validation_utility": []}
)


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Write ``policies/*.json`` with their weights, and the learning curves."""
    training_tasks, features = make_training_tasks(profile, run), load_features(run)
    curves = []
    for training_task, fitted in zip(training_tasks, train_all(training_tasks, profile.compute, run), strict=True):
        _export(folder, profile, features, training_task, fitted)
        rows = {"steps": fitted.steps, "validation_utility": fitted.validation_utility}
        curves.append(pd.DataFrame({"fee_bps": training_task.fee_bps, "seed": training_task.seed, **rows}))
    folder.write_table(CURVES, pd.concat(curves, ignore_index=True) if curves else NO_CURVES)


def make_training_tasks(profile: Profile, run: Run) -> list[TrainingTask]:
    """Return what every agent is trained on, by fee and seed: the training and the validation span, never the test."""
    episodes, settings = load_episodes(run), profile.train
    train, validate = episodes.select("train"), episodes.select("validate")
    wanted = settings.corrects and settings.placebos > 0 and settings.seeds > 0
    placebo = placebo_episodes(profile, run, load_features(run)) if wanted else None
    seeds = range(settings.first_seed, settings.first_seed + settings.seeds)
    return [
        TrainingTask(train, validate, profile.env, profile.costs, budgeted, fee, seed, placebo)
        for fee, budgeted in zip(profile.costs.fees_bps, budgets(profile), strict=True)
        for seed in seeds
    ]


def budgets(profile: Profile) -> list[TrainConfig]:
    """Return the training settings of each fee regime: all the same, unless ``train.horizons`` says otherwise."""
    full, others = profile.train, len(profile.costs.fees_bps) - 1
    half = full.model_copy(update={"total_steps": max(1, full.total_steps // 2)})
    return [full, *[half if full.horizons == "unequal" else full] * others]


def train_all(training_tasks: list[TrainingTask], compute: ComputeConfig, run: Run) -> list[Fitted]:
    """Train every agent, with a bar over all their steps; what a killed attempt has done is not done again."""
    if not training_tasks:
        return []
    scratch, events = run.scratch("train"), run.path / "tensorboard"
    tally = scratch / "steps"
    assignments = []
    for number, training_task in enumerate(training_tasks):
        checkpoint = scratch / f"{agent_name(training_task)}.pt" if compute.checkpoint else None
        folder = events / agent_name(training_task) if compute.tensorboard else None
        if folder and not (checkpoint and checkpoint.is_file()):
            shutil.rmtree(folder, ignore_errors=True)  # of another training
        curve = scratch / f"{agent_name(training_task)}{CURVE_SUFFIX}"
        if not (checkpoint and checkpoint.is_file()):
            curve.unlink(missing_ok=True)
        logbook = Logbook(checkpoint, compute.checkpoint, folder, tally, number, curve)
        assignments.append(Assignment(training_task, logbook))
    total = sum(training_task.settings.total_steps for training_task in training_tasks)
    with tallied(
        tally, tasks=len(training_tasks), label=f"training {len(training_tasks)} agents", total=total, unit="step"
    ):
        return run_tasks(carry_out, assignments, compute)


@dataclass(frozen=True)
class Assignment:
    """One agent to be trained, wherever that is."""

    training_task: TrainingTask
    logbook: Logbook


def carry_out(assignment: Assignment) -> Fitted:
    """Train one agent."""
    return fit(assignment.training_task, assignment.logbook)


def agent_name(training_task: TrainingTask) -> str:
    """Return the name of an agent's files."""
    return f"fee-{training_task.fee_bps:g}_seed-{training_task.seed}"


def _export(
    folder: StageFolder, profile: Profile, features: Features, training_task: TrainingTask, fitted: Fitted
) -> None:
    content, name = pack_weights(fitted.layers, fitted.lstm, fitted.base), agent_name(training_task)
    sizing, settings = training_task.rules().sizing, training_task.settings
    card = PolicyCard(
        algorithm=settings.algorithm,
        feature_names=features.names,
        lookback=features.lookback,
        feature_spec=features.spec.to_json(),
        scaler=features.scaler.to_json(),
        hidden=settings.hidden,
        activation=settings.activation,
        squash=settings.algorithm in SQUASHED,
        choices=settings.choices if settings.algorithm == "dqn" else 0,
        lstm=settings.lstm if settings.algorithm == "recurrent-ppo" else 0,
        base_hidden=tuple(len(bias) for _, bias in (fitted.base or [])[:-1]),
        overlay=settings.overlay if settings.corrects else 0.0,
        **sizing._asdict(),
        weights_file=f"{name}.safetensors",
        weights_sha256=hashlib.sha256(content).hexdigest(),
        training=_provenance(profile, training_task, fitted),
    )
    folder.write_bytes(f"policies/{name}.safetensors", content)
    folder.write_json(f"policies/{name}.json", card.model_dump(mode="json"))


def _provenance(profile: Profile, training_task: TrainingTask, fitted: Fitted) -> dict[str, Any]:
    return {
        "profile": profile.name,
        "fee_bps": training_task.fee_bps,
        "seed": training_task.seed,
        "total_steps": training_task.settings.total_steps,
        "config_hash": profile.sections_hash(("train", "env", "costs")),
        "settings": training_task.settings.model_dump(mode="json"),
        "validation": asdict(fitted.score),
        "abstains": fitted.abstains,
        "uncorrected": fitted.uncorrected,
    }

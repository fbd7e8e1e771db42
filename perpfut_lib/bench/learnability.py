"""``perpfut bench learnability``: what the learner attains of the best possible, where the best possible is known.

Each trial is kept under ``artifacts/learnability`` until settings or code change, so a killed run goes on where
it was. ``--keep`` also publishes every trial and its summary as ``learnability``, which the book shows.
"""

import gc
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
from scipy.stats import t as student

from perpfut_lib.artifacts import git_commit, kept_json, publish, source_hash
from perpfut_lib.bench.harness import BenchRow
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import ComputeConfig, TrainConfig, project_root
from perpfut_lib.env.harder import Harder
from perpfut_lib.env.planted import Planted
from perpfut_lib.train.harder_trials import HarderTrial, run_harder_trial
from perpfut_lib.train.trials import Trial, run_trial
from perpfut_lib.types import JsonObject

TRIED: Final = 70
"""Trainings by which learner and settings were found on this task, before these trials; see decision 9."""
SETTINGS: Final = TrainConfig(total_steps=3_000_000)
"""The shipped settings; only the number of steps is the task's."""
BRIEF: Final = SETTINGS.model_copy(update={"total_steps": 2_000_000})
TARGETS: Final = {0.0: 0.98, 1.44: 0.95, 4.5: 0.90}
"""Share of the oracle's utility to attain, by fee in basis points."""
SEEDS: Final = range(5)
NOISE: Final = Planted(std_bps=0.0, noise_bps=4.55)
"""As much movement per bar as the reference task, none of it predictable."""
STRENGTHS: Final = {0.0: (0.7, 0.5, 0.35, 0.25, 0.15), 1.44: (0.7, 0.5, 0.35)}
"""Deviations of the planted spread as shares of the reference task's, by fee; weaker ones earn no fee back."""
RACE_FEE: Final = 0.0
STOCK: Final = TrainConfig(
    algorithm="sb3-ppo", total_steps=250_000, n_envs=1, n_steps=2048, batch_size=64, n_epochs=10, learning_rate=3e-4,
    final_learning_rate=3e-4, gae_lambda=0.95, target_kl=None, activation="tanh", log_std_init=0.0, fee_ramp=(0.0, 0.0),
    evaluations=20,
)  # fmt: skip
"""Stable-Baselines3's own defaults in one environment."""


def weakened(share: float, task: Planted | None = None) -> Planted:
    """Return the reference task with a weaker spread beside a random walk; a bar moves as much as before."""
    task = task or Planted()
    rest = (1.0 - share**2) * (1.0 - task.persistence() ** 2)
    return replace(task, std_bps=share * task.std_bps, noise_bps=task.std_bps * rest**0.5)


def groups() -> dict[str, list[Trial]]:
    """Return every trial, by what it is to show."""
    reference, walk = Planted(), (1.44, 4.5)
    return {
        "shares": [Trial(reference, SETTINGS, fee, seed) for seed in SEEDS for fee in TARGETS],
        "noise": [Trial(NOISE, BRIEF, fee, seed) for fee in walk for seed in range(3)],
        "limit": [Trial(weakened(share), BRIEF, fee, 0) for fee, some in STRENGTHS.items() for share in some],
        "race": [
            Trial(reference, settings, RACE_FEE, 0)
            for settings in (BRIEF.model_copy(update={"evaluations": 40}), STOCK)
        ],
    }


def harder() -> list[HarderTrial]:
    """Return the trials on the harder task."""
    return [HarderTrial(Harder(), BRIEF, fee, seed) for seed in range(3) for fee in TARGETS]


def run() -> Iterator[BenchRow]:
    """Yield the share of the oracle's utility by fee, exposure to noise, and wall time beside stock training."""
    content = results()
    for row in content["shares"]["summary"]:
        metric = f"utility a day at {row['fee_bps']:g} bps, mean of {row['seeds']} seeds"
        peer = "oracle (dynamic programming), same episodes"
        yield BenchRow("learnability", metric, "bps", row["utility"], row["oracle"], peer, row["share"], None)
    for fee in sorted({trial["fee_bps"] for trial in content["noise"]["trials"]}):
        exposure = max(trial["exposure"] for trial in content["noise"]["trials"] if trial["fee_bps"] == fee)
        yield BenchRow(
            "learnability", f"largest exposure on noise at {fee:g} bps", "1", exposure, None, None, None, None
        )
    race = content["race"]["summary"]
    metric = f"training to a validation utility of {race['utility']:.0f} bps"
    name = "Stable-Baselines3's PPO, one environment"
    yield BenchRow("learnability", metric, "s", race["seconds"], race["stock_seconds"], name, race["ratio"], None)


def keep() -> None:
    """Publish every trial and the summaries."""
    publish("learnability", results())


def results() -> JsonObject:
    """Return settings, trials and summaries; what is not kept yet is trained."""
    planned = groups()
    trials = [trial for group in planned.values() for trial in group]
    answers = iter(run_tasks(kept_trial, trials, ComputeConfig(), label="trials"))
    found: dict[str, JsonObject] = {name: {"trials": [next(answers) for _ in group]} for name, group in planned.items()}
    found["shares"]["summary"] = share_summary(found["shares"]["trials"])
    found["race"]["summary"] = race_summary(*found["race"]["trials"])
    found["harder"] = {
        "task": asdict(Harder()),
        "trials": run_tasks(kept_harder_trial, harder(), ComputeConfig(), label="harder trials"),
    }
    found["harder"]["summary"] = harder_summary(found["harder"]["trials"])
    settings = SETTINGS.model_dump(mode="json")
    about = {"git_commit": git_commit(), "configurations_tried": TRIED, "task": asdict(Planted()), "settings": settings}
    return about | {"settings_sha256": _digest(settings)} | found


def share_summary(trials: list[JsonObject]) -> list[JsonObject]:
    """Return, by fee, mean utilities and the mean share of the oracle's with its 95 % t-interval over seeds."""
    rows = []
    for fee, target in TARGETS.items():
        some = [trial for trial in trials if trial["fee_bps"] == fee]
        shares = np.array([trial["utility"] / trial["oracle"] for trial in some])
        reach = student.ppf(0.975, len(shares) - 1) * shares.std(ddof=1) / len(shares) ** 0.5
        share, utility = float(shares.mean()), float(np.mean([trial["utility"] for trial in some]))
        oracle = {"oracle": some[0]["oracle"], "program": some[0]["program"]}
        found = {"fee_bps": fee, "seeds": len(some), "utility": utility, **oracle, "share": share, "target": target}
        rows.append(found | {"lower": share - float(reach), "upper": share + float(reach)})
    return rows


def harder_summary(trials: list[JsonObject]) -> list[JsonObject]:
    """Return, by fee and policy of the harder task, mean utility and its share of the informed trader's."""
    rows = []
    for fee in TARGETS:
        some = [trial["utility"] for trial in trials if trial["fee_bps"] == fee]
        means = {name: float(np.mean([one[name] for one in some])) for name in some[0]}
        about = {"fee_bps": fee, "seeds": len(some)}
        rows += [
            about | {"policy": name, "utility": mean, "share": mean / means["informed"]} for name, mean in means.items()
        ]
    return rows


def race_summary(own: JsonObject, stock: JsonObject) -> JsonObject:
    """Return when each first had the best score that stock training ever had, in seconds of training."""
    best = max(stock["validation_utility"])

    def reached(trial: JsonObject) -> float:
        points = zip(trial["seconds"], trial["validation_utility"], strict=True)
        return next((second for second, utility in points if utility >= best), float("inf"))

    seconds, stock_seconds = reached(own), reached(stock)
    return {"utility": best, "seconds": seconds, "stock_seconds": stock_seconds, "ratio": stock_seconds / seconds}


def kept_trial(trial: Trial) -> JsonObject:
    """Return what a trial gave, from the last run where it is kept."""
    about = {"std_bps": trial.task.std_bps, "noise_bps": trial.task.noise_bps}
    return _kept(trial, "perpfut_lib.train.trials", lambda: about | run_trial(trial))


def kept_harder_trial(trial: HarderTrial) -> JsonObject:
    """Return what a trial on the harder task gave, from the last run where it is kept."""
    return _kept(trial, "perpfut_lib.train.harder_trials", lambda: run_harder_trial(trial))


def _kept(trial: Trial | HarderTrial, module: str, run_it: Callable[[], JsonObject]) -> JsonObject:
    content = {"task": asdict(trial.task), "settings": trial.settings.model_dump(mode="json"), "fee_bps": trial.fee_bps}
    key = content | {"seed": trial.seed, "source": source_hash(module)}
    kept: JsonObject = kept_json(project_root() / "artifacts" / "learnability" / f"{_digest(key)[:24]}.json", run_it)
    gc.collect()  # model, callback and episodes refer to each other in a circle, gigabytes of it
    return kept


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

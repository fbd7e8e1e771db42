"""The search for settings: a resumable Optuna study of the validation utility; the test span is never looked at."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState

from perpfut_lib.artifacts import source_hash, write_json
from perpfut_lib.config import hash_json
from perpfut_lib.errors import ConfigError
from perpfut_lib.progress import meter
from perpfut_lib.train.checkpoint import task_digest
from perpfut_lib.train.fit import fit
from perpfut_lib.train.trainer import Logbook
from perpfut_lib.train.training_task import TrainingTask
from perpfut_lib.types import JsonObject

RECORD: Final = "trials.json"
PEERS: Final = 4
DONE: Final = (TrialState.COMPLETE, TrialState.PRUNED)

Suggest = Callable[[optuna.Trial, str], Any]


def _log(low: float, high: float) -> Suggest:
    # Rounded, so that the printed settings are the ones that were tried.
    return lambda trial, name: float(f"{trial.suggest_float(name, low, high, log=True):.3g}")


def _one_of(*values: Any) -> Suggest:
    return lambda trial, name: trial.suggest_categorical(name, values)


_ALL: Final = {"learning_rate": _log(1e-4, 3e-3), "gamma": _one_of(0.95, 0.98, 0.99, 0.995)}
_CLIPPED: Final = _ALL | {"batch_size": _one_of(1024, 2048, 4096), "n_epochs": _one_of(2, 4, 6, 10)}
_REPLAYED: Final = _ALL | {"gradient_steps": _one_of(4, 8, 16, 32), "tau": _log(1e-3, 3e-2)}
SPACE: Final[dict[str, dict[str, Suggest]]] = {
    "counterfactual-ppo": _CLIPPED
    | {"band_per_root_fee": _one_of(0.4, 0.5, 0.6, 0.7), "exploring_bars": _one_of(32, 64, 128)},
    "sb3-ppo": _CLIPPED | {"gae_lambda": _one_of(0.0, 0.5, 0.8, 0.95)},
    "recurrent-ppo": _CLIPPED | {"gae_lambda": _one_of(0.0, 0.5, 0.8, 0.95), "lstm": _one_of(16, 32, 64)},
    "a2c": _ALL | {"n_steps": _one_of(4, 8, 16, 32), "gae_lambda": _one_of(0.0, 0.5, 0.8, 0.95)},
    "sac": _REPLAYED | {"batch_size": _one_of(256, 512, 1024)},
    "dqn": _REPLAYED | {"batch_size": _one_of(256, 512, 1024), "choices": _one_of(5, 9, 17)},
}
"""What is searched, by algorithm."""


class MedianRule(optuna.pruners.BasePruner):
    """Give up a trial whose value is below the median of what completed trials had at the same step.

    Optuna's own rule compares the best value over all steps, and the agents without fees, who come first, earn most.
    """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether to give up; see :class:`optuna.pruners.BasePruner`."""
        step, completed = trial.last_step, study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        peers = [other.intermediate_values[step] for other in completed if step in other.intermediate_values]
        return step is not None and len(peers) >= PEERS and trial.intermediate_values[step] < float(np.median(peers))


@dataclass(frozen=True)
class Search:
    """A study of the settings of some training tasks that differ in fee and seed."""

    training_tasks: list[TrainingTask]
    folder: Path
    """Where the study lies; the same folder and training tasks go on with it."""

    def run(self, trials: int) -> JsonObject:
        """Go on until the study has so many finished trials, and return its record, as written to ``trials.json``.

        Parameters
        ----------
        trials : int
            Finished and pruned trials, those of earlier runs included. A trial that was killed is done again: a study
            that was interrupted asks the same questions as one that was not.

        Raises
        ------
        ConfigError
            Another process works on the study.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with _alone(self.folder / "lock"):
            study = optuna.create_study(
                storage=self.storage(), study_name=self.name(), direction="maximize", load_if_exists=True
            )
            for lost in study.get_trials(states=(TrialState.RUNNING,)):
                study.tell(lost.number, state=TrialState.FAIL)
            missing = trials - len(study.get_trials(states=DONE))
            with meter(label="tuning", total=max(0, missing), unit="trial") as advance:
                for _ in range(missing):
                    self._ask(study)
                    advance(1)
                    write_json(self.folder / RECORD, self._record(study))
            write_json(self.folder / RECORD, self._record(study))
            return self._record(study)

    def name(self) -> str:
        """Return what identifies the study: data, settings, code, and what is searched."""
        training_tasks = [task_digest(training_task) for training_task in self.training_tasks]
        return hash_json([source_hash("perpfut_lib.train.tune"), *training_tasks])[:16]

    def storage(self) -> str:
        """Return the address of the database."""
        return f"sqlite:///{self.folder / 'study.sqlite'}"

    def _space(self) -> dict[str, Suggest]:
        return SPACE[self.training_tasks[0].settings.algorithm]

    def _ask(self, study: optuna.Study) -> None:
        """Do one trial. Its seed counts finished trials, so it asks what an uninterrupted study would have asked."""
        seed = self.training_tasks[0].settings.first_seed + len(study.get_trials(states=DONE))
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8)
        study.pruner = MedianRule()
        study.optimize(self._utility, n_trials=1)

    def _utility(self, trial: optuna.Trial) -> float:
        """Return the mean over fees and seeds of the best validation utility."""
        chosen = {name: suggest(trial, name) for name, suggest in self._space().items()}
        trial.set_user_attr("settings", chosen)
        best: list[float] = []
        for training_task in self.training_tasks:
            settings = training_task.settings.model_copy(update=chosen)
            best.append(
                fit(
                    replace(training_task, settings=settings), Logbook(report=self._reporter(trial, best))
                ).score.utility
            )
        return float(np.mean(best))

    def _reporter(self, trial: optuna.Trial, best: list[float]) -> Callable[[int, float], None]:
        """Return what tells the pruner the mean utility of the agents so far, the best validation of each."""
        settings, top = self.training_tasks[0].settings, -np.inf
        early = np.ceil(settings.fee_ramp[1] * settings.evaluations)

        def report(number: int, utility: float) -> None:
            nonlocal top
            if number <= early:  # before the fee is fully charged: says little
                return
            top = max(top, utility)
            trial.report(float(np.mean([*best, top])), (settings.evaluations + 1) * len(best) + number)
            if trial.should_prune():
                raise optuna.TrialPruned

        return report

    def _record(self, study: optuna.Study) -> JsonObject:
        """Return what the study did; ``trials`` counts all studies in the folder, for the deflated Sharpe ratio."""
        finished, names = study.get_trials(states=DONE), optuna.get_all_study_names(self.storage())
        whole = [trial for trial in finished if trial.state is TrialState.COMPLETE]
        best = max(whole, key=lambda trial: trial.value or 0.0, default=None)
        counted = [optuna.load_study(study_name=name, storage=self.storage()) for name in names]
        return {
            "objective": "mean over fees and seeds of the best validation utility, reward per episode",
            "algorithm": self.training_tasks[0].settings.algorithm,
            "study": study.study_name,
            "trials": sum(len(each.get_trials(states=DONE)) for each in counted),
            "completed": len(whole),
            "pruned": len(finished) - len(whole),
            "best": None if best is None else _entry(best),
            "history": [_entry(trial) for trial in finished],
        }


def _entry(trial: FrozenTrial) -> JsonObject:
    return {"value": trial.value, "state": trial.state.name.lower(), "settings": trial.user_attrs["settings"]}


def as_overrides(record: JsonObject) -> str:
    """Return the best settings as YAML, to be put into a profile."""
    best = record["best"]
    return "# no trial was finished\n" if best is None else yaml.safe_dump({"train": best["settings"]})


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock that goes with the process, however it ends."""
    with lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"a study at work in {lock.parent}", "one process per study", "wait for it") from error
        yield

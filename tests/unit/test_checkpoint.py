"""A training that is killed goes on from its checkpoint and ends in the same bits."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from perpfut_lib.artifacts import Run
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import ComputeConfig, CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.errors import ArtifactError
from perpfut_lib.experiments import learning_curves
from perpfut_lib.policies import pack_weights
from perpfut_lib.train.fit import fit
from perpfut_lib.train.stage import train_all
from perpfut_lib.train.trainer import Logbook
from perpfut_lib.train.training_task import TrainingTask

TASK = Planted(length=60, features=4)
TRAIN, CHECK = planted_episodes(TASK, 30, 1), planted_episodes(TASK, 5, 2)
SMALL = {"n_envs": 16, "n_steps": 16, "batch_size": 64, "n_epochs": 2, "total_steps": 2048, "evaluations": 8}
REPLAY = {"learning_starts": 200, "gradient_steps": 1, "replay_size": 700}


class InterruptError(Exception):
    """Stands for anything that ends a training."""


def training_task(algorithm="counterfactual-ppo", seed=3, **settings):
    chosen = TrainConfig(algorithm=algorithm, hidden=(8, 8), lstm=4, abstain=False, **{**SMALL, **REPLAY, **settings})
    return TrainingTask(TRAIN, CHECK, EnvConfig(), CostsConfig(), chosen, 1.44, seed)


def outcome(fitted):
    """Everything that a training ends in, as bytes and plain values."""
    weights = pack_weights(fitted.layers, fitted.lstm)
    return weights, fitted.steps, fitted.validation_utility, fitted.score, fitted.abstains


@pytest.mark.parametrize(
    ("algorithm", "sde"),
    [
        ("counterfactual-ppo", False),
        ("sb3-ppo", False),
        ("sb3-ppo", True),
        ("a2c", False),
        ("sac", False),
        ("sac", True),
        ("dqn", False),
        ("recurrent-ppo", False),
    ],
)
def test_an_interrupted_training_ends_in_the_same_bits(tmp_path, algorithm, sde):
    """Interrupted twice, at other moments than its checkpoints: weights, curve and score are those of one go."""
    plan, reports = training_task(algorithm, sde=sde), []

    def report(number, utility):
        reports.append(number)
        if len(reports) in (4, 8):
            raise InterruptError

    logbook = Logbook(tmp_path / "agent.pt", rollouts=2, report=report)
    for _ in range(2):
        with pytest.raises(InterruptError):
            fit(plan, logbook)
    resumed = fit(plan, logbook)
    assert outcome(resumed) == outcome(fit(plan))
    assert 10 < len(reports) < 4 + 8 + 9  # each time it went on from its checkpoint, not from the beginning
    assert reports[-1] == 9


@dataclass(frozen=True)
class Doomed:
    """A training whose first attempt kills its process at the fourth validation."""

    plan: TrainingTask
    folder: Path


def train_and_die_once(task):
    if task is None:
        return None

    def report(number, utility):
        with (task.folder / "reports").open("a") as stream:
            stream.write(f"{number} ")
        if number == 4 and not (task.folder / "died").exists():
            (task.folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return fit(task.plan, Logbook(task.folder / "agent.pt", rollouts=1, report=report))


def test_a_killed_process_costs_what_came_after_its_checkpoint(tmp_path):
    """SIGKILL in the middle: another worker goes on from the checkpoint and ends in the bits of a quiet training."""
    task = Doomed(training_task(), tmp_path)
    fitted, _ = run_tasks(train_and_die_once, [task, None], ComputeConfig(workers=2))
    assert outcome(fitted) == outcome(fit(task.plan))
    reports = [int(number) for number in (task.folder / "reports").read_text().split()]
    assert reports[:4] == [1, 2, 3, 4] and reports[4:] in ([4, 5, 6, 7, 8, 9], [3, 4, 5, 6, 7, 8, 9])


def test_finished_agents_are_kept_until_their_stage_is_complete(tmp_path, monkeypatch):
    """After a crash between two agents the first is read, not trained; a complete stage leaves nothing behind."""
    run, training_tasks, compute = (
        Run(tmp_path / "run"),
        [training_task(seed=1), training_task(seed=2)],
        ComputeConfig(workers=1),
    )
    first = train_all(training_tasks, compute, run)
    monkeypatch.setattr("perpfut_lib.train.fit.make_model", None)
    assert [outcome(fitted) for fitted in train_all(training_tasks, compute, run)] == [
        outcome(fitted) for fitted in first
    ]
    with pytest.raises(TypeError):
        train_all([training_task(seed=1, gamma=0.9)], compute, run)  # of another training task: trained anew
    with run.commit("train", {}):
        assert run.scratch("train").is_dir()
    assert not run.scratch("train").exists()


def test_steps_and_event_files_are_written_where_they_belong(tmp_path):
    """The bar counts environment steps; event files appear if asked for, hold the curve, and change no bit."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, plan = Run(tmp_path / "run"), training_task("sb3-ppo")
    (quiet,) = train_all([plan], ComputeConfig(workers=1), run)
    assert np.fromfile(run.scratch("train") / "steps", np.int64).tolist() == [2048]
    assert not (run.path / "tensorboard").exists()
    (curve,) = learning_curves("run", tmp_path)  # while the stage is at work
    assert curve["agent"] == "fee-1.44_seed-3"
    assert (curve["steps"], curve["utility"]) == (quiet.steps, quiet.validation_utility)
    watched = ComputeConfig(workers=1, tensorboard=True, checkpoint=0)
    (fitted,) = train_all([plan], watched, run)
    assert outcome(fitted) == outcome(quiet)
    events = EventAccumulator(str(run.path / "tensorboard" / "fee-1.44_seed-3")).Reload()
    curve = [event.value for event in events.Scalars("validation/utility")]
    assert curve == pytest.approx(fitted.validation_utility)
    assert {"train/value_loss", "schedule/fee_bps", "rollout/ep_rew_mean"} <= set(events.Tags()["scalars"])


def test_what_is_not_a_checkpoint_is_refused_and_never_executed(tmp_path):
    """A pickle that would run a command is named as no checkpoint, and the command does not run."""
    file = tmp_path / "agent.pt"
    file.write_bytes(b"\x80\x04cos\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR.")
    with pytest.raises(ArtifactError, match="expected a checkpoint"):
        fit(training_task(), Logbook(file))
    assert not (tmp_path / "owned").exists()

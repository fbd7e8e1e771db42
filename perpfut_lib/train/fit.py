"""One agent: trained on the training episodes, the best of its validations kept."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat

from perpfut_lib.config import TrainConfig
from perpfut_lib.env import PairTradingVecEnv, make_costs
from perpfut_lib.policies import Lstm, Network, make_network
from perpfut_lib.policies.network import correct_base
from perpfut_lib.train.algorithms import SQUASHED, Weights, make_model
from perpfut_lib.train.base_rule import fit_base_rule, flat_base
from perpfut_lib.train.checkpoint import read_checkpoint, task_digest, write_checkpoint
from perpfut_lib.train.cross_fit import unseen_utilities
from perpfut_lib.train.trainer import Logbook, Trainer, pack, unpack
from perpfut_lib.train.training_task import Layers, Score, TrainingTask

UNWATCHED = Logbook()
FLAGS = ("steps", "seconds", "validation_utility", "abstains", "uncorrected")


@dataclass(frozen=True)
class Fitted:
    """A trained agent."""

    layers: Layers
    """Weights (outputs, inputs) and biases (outputs,) of the policy network."""
    steps: list[int]
    """Environment steps at each validation."""
    seconds: list[float]
    """Wall time spent on training, validations left out, until each validation."""
    validation_utility: list[float]
    """Mean sum of rewards per validation episode, at the full fee, without exploration."""
    score: Score
    """Of the network that was kept."""
    abstains: bool
    """Nothing that was learned beat doing nothing on validation, so the policy is flat."""
    lstm: Lstm | None = None
    """Recurrent layer before the network."""
    base: Layers | None = None
    """Base rule that the network corrects; none for none."""
    uncorrected: bool = False
    """The network did not beat the base rule on validation, so its corrections are all zero."""

    def network(self, settings: TrainConfig) -> Network:
        """Return the network as it acts, without torch; not for recurrent policies."""
        squash = settings.algorithm in SQUASHED
        network = make_network(self.layers, activation=settings.activation, squash=squash)
        return network if self.base is None else correct_base(network, self.base, settings.overlay)


def fit(training_task: TrainingTask, logbook: Logbook = UNWATCHED) -> Fitted:
    """Train one agent; same seed, same machine and same number of threads: same bits, whether interrupted or not.

    Parameters
    ----------
    training_task : TrainingTask
        What it is trained on.
    logbook : Logbook
        Where it leaves checkpoints and event files. A training that was killed goes on from its checkpoint; one that
        was finished is read from it.
    """
    digest = task_digest(training_task) if logbook.checkpoint else ""
    before = read_checkpoint(logbook.checkpoint, digest)
    if before and "fitted" in before:
        return _unpacked(before["fitted"])
    settings, begun = training_task.settings, time.perf_counter()
    torch.set_num_threads(settings.threads)
    if settings.corrects:
        unseen = unseen_utilities(training_task) if settings.cross_fit > 1 else None
        training_task = replace(training_task, base=fit_base_rule(training_task), unseen=unseen)
    spent = time.perf_counter() - begun
    env = make_training_env(training_task)
    model = make_model(settings, env, training_task.seed)
    trainer = Trainer(training_task, env, logbook, digest)
    with _events(model, logbook):
        model.learn(settings.total_steps, callback=trainer)
    fitted = _fitted(trainer, training_task.base, spent)
    if logbook.checkpoint:
        write_checkpoint(logbook.checkpoint, {"training_task": digest, "fitted": _packed(fitted)})
    return fitted


def _fitted(trainer: Trainer, base: Layers | None, spent: float) -> Fitted:
    """Return the agent that validation chose; ``spent`` seconds went to its base rule before training began."""
    chosen = trainer.chosen()
    return Fitted(
        layers=chosen.weights.layers,
        steps=trainer.steps,
        seconds=[spent + seconds for seconds in trainer.seconds],
        validation_utility=trainer.utilities,
        score=chosen.score,
        abstains=chosen.abstains,
        lstm=chosen.weights.lstm,
        base=flat_base(base) if chosen.abstains else base,
        uncorrected=chosen.uncorrected,
    )


def make_training_env(training_task: TrainingTask) -> PairTradingVecEnv:
    """Return the environments that an agent is trained on, at no fee and without a band."""
    settings = training_task.settings
    exploring = settings.algorithm == "counterfactual-ppo" and settings.exploring_bars > 0
    rules = (
        training_task.rules(0.0)._replace(max_bars=settings.exploring_bars) if exploring else training_task.rules(0.0)
    )
    costs = make_costs(0.0, training_task.costs)
    env = PairTradingVecEnv(
        training_task.train, rules, costs, n_envs=settings.n_envs, seed=training_task.seed, exploring=exploring
    )
    env.use_threads(settings.threads)
    env.set_region(training_task.region(training_task.train))
    return env


@contextmanager
def _events(model: BaseAlgorithm, logbook: Logbook) -> Iterator[None]:
    """Write event files inside the block, if any."""
    if logbook.events is None:
        yield
        return
    logger = Logger(str(logbook.events), [TensorBoardOutputFormat(str(logbook.events))])
    model.set_logger(logger)
    yield
    logger.close()


def _packed(fitted: Fitted) -> dict[str, Any]:
    rest = {name: getattr(fitted, name) for name in FLAGS}
    packed = {"weights": pack(Weights(fitted.layers, fitted.lstm)), "base": pack(Weights(fitted.base or []))}
    return packed | {"score": asdict(fitted.score), **rest}


def _unpacked(packed: dict[str, Any]) -> Fitted:
    weights, score = unpack(packed.pop("weights")), Score(**packed.pop("score"))
    base = unpack(packed.pop("base")).layers or None
    return Fitted(weights.layers, score=score, lstm=weights.lstm, base=base, **packed)

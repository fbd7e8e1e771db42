"""What happens around the learning algorithm: schedules, validation, checkpoints, event files, progress."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from perpfut_lib.artifacts import write_json
from perpfut_lib.env import PairTradingVecEnv, make_costs
from perpfut_lib.policies import Lstm
from perpfut_lib.progress import Tally
from perpfut_lib.train.algorithms import Weights, acting_weights, actor
from perpfut_lib.train.checkpoint import capture, read_checkpoint, restore, write_checkpoint
from perpfut_lib.train.counterfactual import CounterfactualPPO
from perpfut_lib.train.training_task import Score, TrainingTask, surpasses, walk_validation


@dataclass(frozen=True)
class Logbook:
    """Where a training writes, beside its result. Nothing of it changes the result."""

    checkpoint: Path | None = None
    """File to go on from, if it is of the same training task; none for no checkpoints."""
    rollouts: int = 16
    """Rollouts between checkpoints."""
    events: Path | None = None
    """Folder of TensorBoard's event files; none for none."""
    tally: Path | None = None
    """File of the steps done, see :class:`perpfut_lib.progress.Tally`."""
    number: int = 0
    """Place in it."""
    curve: Path | None = None
    """File of the learning curve so far; none, or where its folder is not (another machine), for none."""
    report: Callable[[int, float], None] | None = None
    """Called with the number of a validation and its utility; may raise to give up."""


@dataclass(frozen=True)
class Chosen:
    """What is exported of a training."""

    weights: Weights
    score: Score
    """Of the weights that were kept."""
    abstains: bool
    """Nothing beat doing nothing."""
    uncorrected: bool
    """The network adds nothing to the base rule, or there is none and it abstains."""


class Trainer(BaseCallback):
    """Raises the fee along its ramp, validates at regular steps, and keeps the best network."""

    def __init__(self, training_task: TrainingTask, env: PairTradingVecEnv, logbook: Logbook, digest: str = "") -> None:
        super().__init__()
        self.training_task, self.env, self.logbook = training_task, env, logbook
        self.steps: list[int] = []
        self.seconds: list[float] = []
        self.utilities: list[float] = []
        self.best = Weights([])
        self.best_score = Score(-np.inf, 0.0, 0.0)
        self.best_each = np.zeros(0)
        self._region = training_task.region(training_task.validate)
        self._digest, self._saved_at, self._begun = digest, 0, False
        self._tally = Tally(logbook.tally, logbook.number) if logbook.tally else None
        self._trained = 0.0

    def _on_training_start(self) -> None:
        self._trained = time.perf_counter()

    def _on_rollout_start(self) -> None:
        # Here, and nowhere else, a training is taken up again: what came before in this process is overwritten.
        if not self._begun:
            self._begun = True
            self._take_up()
        elif self._is_due():
            self._save()
        done = self.model.num_timesteps / self.training_task.settings.total_steps
        share = self.training_task.fee_share(done)
        self.env.set_costs(make_costs(share * self.training_task.fee_bps, self.training_task.costs))
        self.env.set_sizing(self.training_task.rules(share).sizing)
        if isinstance(self.model, CounterfactualPPO):
            self.model.set_exploration(self.training_task.exploration(done))
        if done >= len(self.steps) / self.training_task.settings.evaluations:
            self._validate()
        if self._tally:
            self._tally.set(min(self.model.num_timesteps, self.training_task.settings.total_steps))
        self.logger.record("schedule/fee_bps", share * self.training_task.fee_bps)

    def _on_training_end(self) -> None:
        self._validate()
        self.logger.dump(self.model.num_timesteps)
        if self._tally:
            self._tally.set(self.training_task.settings.total_steps)

    def _on_step(self) -> bool:
        return True

    def _validate(self) -> None:
        spent = self.seconds[-1] if self.seconds else 0.0
        self.seconds.append(spent + time.perf_counter() - self._trained)
        # Before the fee is fully charged the agent solves another task, so nothing from then may be chosen.
        steps = self.model.num_timesteps
        ready = steps >= self.training_task.settings.fee_ramp[1] * self.training_task.settings.total_steps
        with averaged(self.model):
            score, each = walk_validation(self.training_task, actor(self.model), self._region)
            if not self.best.layers or (ready and score.utility > self.best_score.utility):
                self.best, self.best_score, self.best_each = acting_weights(self.model), score, each
        if not ready:
            self.best = Weights([])
        self.steps.append(steps)
        self.utilities.append(score.utility)
        for name, value in asdict(score).items():
            self.logger.record(f"validation/{name}", value)
        if self.logbook.curve and self.logbook.curve.parent.is_dir():
            write_json(self.logbook.curve, {"steps": self.steps, "utility": self.utilities})
        if self.logbook.report:
            self.logbook.report(len(self.steps), score.utility)
        self._trained = time.perf_counter()

    def chosen(self) -> "Chosen":
        """Return what is exported: the best network, or the base rule alone, or nothing, whatever validation allows."""
        settings = self.training_task.settings
        if not settings.corrects:
            abstains = settings.abstain and self.best_score.utility <= 0.0
            return Chosen(self.best.flat() if abstains else self.best, self.best_score, abstains, abstains)
        weights, score = self.best, self.best_score
        alone, of_base = walk_validation(self.training_task, lambda rows: np.zeros(len(rows)), self._region)
        kept = surpasses(self.best_each, of_base, settings.keep_errors)
        if not kept:
            weights, score = weights.flat(), alone
        abstains = settings.abstain and self._expected(score) <= 0.0
        return Chosen(weights.flat() if abstains else weights, score, abstains, abstains or not kept)

    def _expected(self, score: Score) -> float:
        """Return the mean utility of all episodes that judge: of validation, and of unseen training windows if any."""
        unseen, count = self.training_task.unseen, len(self.training_task.validate)
        if unseen is None:
            return score.utility
        return (float(unseen.sum()) + count * score.utility) / (len(unseen) + count)

    def _is_due(self) -> bool:
        rollout = self.training_task.settings.n_envs * self.training_task.settings.n_steps
        due = self.model.num_timesteps - self._saved_at >= self.logbook.rollouts * rollout
        return due and self.logbook.checkpoint is not None and self.logbook.rollouts > 0

    def _save(self) -> None:
        assert self.logbook.checkpoint is not None
        self._saved_at = self.model.num_timesteps
        content = {
            "training_task": self._digest,
            "steps": self.steps,
            "seconds": self.seconds,
            "utilities": self.utilities,
            "best": pack(self.best),
            "best_score": asdict(self.best_score),
            "best_each": torch.tensor(self.best_each),
            "training": capture(self.model, self.env),
        }
        write_checkpoint(self.logbook.checkpoint, content)

    def _take_up(self) -> None:
        content = read_checkpoint(self.logbook.checkpoint, self._digest)
        if content is None:
            return
        self.steps, self.seconds, self.utilities = content["steps"], content["seconds"], content["utilities"]
        self.best, self.best_score = unpack(content["best"]), Score(**content["best_score"])
        self.best_each = content["best_each"].numpy()
        restore(content["training"], self.model, self.env)
        self._saved_at = self.model.num_timesteps


@contextmanager
def averaged(model: BaseAlgorithm) -> Iterator[None]:
    """Put the running mean of the weights in the policy for the length of the block."""
    if not isinstance(model, CounterfactualPPO):
        yield
        return
    weights: list[torch.Tensor] = list(model.policy.parameters())
    current = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        torch._foreach_copy_(weights, model.average)
    yield
    with torch.no_grad():
        torch._foreach_copy_(weights, current)


def pack(weights: Weights) -> dict[str, Any]:
    """Return weights as tensors."""
    layers = [(torch.tensor(weight), torch.tensor(bias)) for weight, bias in weights.layers]
    return {"layers": layers, "lstm": [torch.tensor(array) for array in weights.lstm or ()]}


def unpack(packed: dict[str, Any]) -> Weights:
    """Return what :func:`pack` was given."""
    layers = [(weight.numpy(), bias.numpy()) for weight, bias in packed["layers"]]
    return Weights(layers, Lstm(*(tensor.numpy() for tensor in packed["lstm"])) if packed["lstm"] else None)

r"""The base rule: a no-trade region in the features, fitted by the exact gradient of the training span's utility.

The market does not react to the agent, so the utility U of a window is a known function of the region's edges
:math:`l_t \le u_t`: the exposure held is :math:`h_t = \min(\max(h_{t-1}, l_t), u_t)`, and with
:math:`x_t = h_t r_t - c |h_t - h_{t-1}|`

.. math:: U = \sum_t x_t - \frac{\lambda}{2} x_t^2, \qquad
    \frac{\partial U}{\partial l_t} = \sum_{s \ge t} \frac{\partial U}{\partial h_s} \frac{\partial h_s}{\partial l_t},

where an edge matters only at bars at which it moves the exposure, and from there until the next such bar. This is the
counterfactual advantage of an infinitely small exploration, without its noise. PPO then corrects the rule in the real
environment (:mod:`perpfut_lib.train.counterfactual`).
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch
from numba import njit

from perpfut_lib.policies.fitting import spread_returns
from perpfut_lib.train.training_task import Layers, TrainingTask
from perpfut_lib.types import Float1D, Float2D, Int1D

SIGNED: Final = ("spread_z", "kalman_z", "momentum_5", "momentum_60", "distance", "carry")
"""Features that change their sign with the side of the spread: with all of them turned, so is the action."""
EVEN: Final = ("spread_volatility", "half_life", "correlation", "pvalue", "elapsed")
"""Features of the pair that do not."""
BATCH: Final = 16  # windows per gradient step
PLACEBOS: Final = 5  # of them, where there are placebos
LEARNING_RATE: Final = 4e-3
WEIGHT_DECAY: Final = 1e-2
UNIT: Final = 100.0  # utility of a window, basis points, that gradients are measured in
AVERAGING: Final = 0.03  # weight of the newest parameters in their running mean
NO_WIDTH: Final = -40.0  # softplus of it is nothing


def inputs_of(names: tuple[str, ...]) -> tuple[list[int], torch.Tensor]:
    """Return the columns that the rule sees and the sign that each takes when the spread is turned round.

    Where none of the known names is there, as on the reference task, every feature is seen as a signed one.
    """
    signed: list[str] = [name for name in SIGNED if name in names]
    even: list[str] = [name for name in EVEN if name in names]
    if not signed:
        signed, even = list(names), []
    return [names.index(name) for name in signed + even], torch.tensor([-1.0] * len(signed) + [1.0] * len(even))


class RegionNet(torch.nn.Module):
    """Centre and width of a no-trade region; the centre is odd and the width even under a turn of the spread.

    Parameters
    ----------
    signs : Tensor
        Sign of each input under the turn, (I,).
    hidden : int
        Width of both hidden layers.
    half_width : float
        Half-width to start from; 0 for a region that is a point and stays one.
    """

    def __init__(self, signs: torch.Tensor, hidden: int, half_width: float) -> None:
        super().__init__()
        self.signs, self.point = signs, half_width <= 0.0
        self.body = torch.nn.Sequential(
            torch.nn.Linear(len(signs), hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, 2),
        )
        self.level = NO_WIDTH if self.point else float(np.log(np.expm1(half_width)))
        last: torch.nn.Linear = self.body[-1]  # type: ignore[assignment]
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.zero_()

    def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the edges for rows (..., I), not bent to full exposure."""
        one, other = self.body(rows), self.body(rows * self.signs)
        center = 0.5 * (one[..., 0] - other[..., 0])
        if self.point:
            return center, center
        half = torch.nn.functional.softplus(0.5 * (one[..., 1] + other[..., 1]) + self.level)
        return center - half, center + half

    def layers(self, columns: list[int], size: int) -> Layers:
        """Return the plain network of twice the width that is the same map of observations (size,)."""
        body: Any = self.body
        first, second, last = (body[number] for number in (0, 2, 4))
        plain = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in (first, second, last)]
        (seen, offset), (inner, inner_offset), (outer, outer_offset) = plain
        hidden, signs = len(offset), self.signs.numpy()
        wide = np.zeros((2 * hidden, size), np.float32)
        wide[:hidden, columns], wide[hidden:, columns] = seen, seen * signs
        joined = np.kron(np.eye(2, dtype=np.float32), inner)
        out = 0.5 * np.concatenate([outer, outer * np.array([[-1.0], [1.0]], np.float32)], axis=1)
        level = np.array([0.0, outer_offset[1] + self.level], np.float32)
        if self.point:
            out[1], level[1] = 0.0, NO_WIDTH
        return [(wide, np.tile(offset, 2)), (joined, np.tile(inner_offset, 2)), (out.astype(np.float32), level)]


def fit_base_rule(task: TrainingTask) -> Layers:
    """Fit the rule to the training episodes; same task, same bits.

    Returns
    -------
    list
        Weights (outputs, inputs) and biases of a rectified linear network from an observation to centre and width; see
        :func:`perpfut_lib.policies.network.region`.
    """
    settings, episodes = task.settings, task.train
    columns, signs = inputs_of(episodes.names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.seed)
        net = RegionNet(signs, settings.base_hidden, settings.band(task.fee_bps + task.costs.slippage_bps))
        _descend(net, task, columns)
    return net.layers(columns, episodes.observation_size)


def flat_base(layers: Layers | None) -> Layers | None:
    """Return a base rule of the same shape whose region is the point zero; none for none."""
    if layers is None:
        return None
    last, _ = layers[-1]
    return [*layers[:-1], (0.0 * last, np.array([0.0, NO_WIDTH], np.float32))]


def _descend(net: RegionNet, task: TrainingTask, columns: list[int]) -> None:
    """Leave the running mean of the weights in ``net``."""
    steps, rules = task.settings.base_steps, task.rules()
    spans = [task.train] if task.placebo is None else [task.train, task.placebo]
    rows = np.concatenate([span.features[:, span.lookback - 1 :][:, :, columns] for span in spans])
    returns = [spread_returns(span, beta_legs=rules.sizing.beta_legs) for span in spans]
    earned = rules.reward_scale * np.concatenate(returns)
    cost = rules.reward_scale * 1e-4 * (task.fee_bps + task.costs.slippage_bps) + rules.turnover_penalty
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    average = [weight.detach().clone() for weight in net.parameters()]
    for step, chosen, start in _batches([len(span) for span in spans], steps, task.seed):
        done = step / steps
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1.0 - done) + 1e-5
        charged = cost * min(1.0, 0.2 + done / 0.3)  # with the whole cost at once, never to trade is learned first
        lower, upper = net(torch.from_numpy(rows[chosen]))
        gradients = edge_gradients(_plain(lower), _plain(upper), earned[chosen], start, (charged, rules.risk_aversion))
        descent = [_inward(edge, slope) for edge, slope in zip((lower, upper), gradients[1:], strict=True)]
        optimizer.zero_grad()
        torch.autograd.backward([lower, upper], [part * (-1.0 / (UNIT * len(chosen))) for part in descent])
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, list(net.parameters()), max(1.0 / (step + 1), AVERAGING))
    with torch.no_grad():
        torch._foreach_copy_(list(net.parameters()), average)


def _batches(counts: list[int], steps: int, seed: int) -> Iterator[tuple[int, Int1D, Float1D]]:
    """Yield the number of a step, the windows that it looks at, and the exposures that they begin with.

    ``counts`` are the numbers of windows that are traded, and of placebos, which take their share of a step.
    """
    generator = np.random.default_rng(seed)
    shares = [BATCH] if len(counts) == 1 else [BATCH - PLACEBOS, PLACEBOS]
    first = np.cumsum([0, *counts])
    for step in range(steps):
        parts = [
            offset + generator.choice(count, min(share, count), replace=False)
            for offset, count, share in zip(first, counts, shares, strict=False)
        ]
        chosen = np.concatenate(parts)
        yield step, chosen, generator.uniform(-1.0, 1.0, len(chosen))


def _plain(edge: torch.Tensor) -> Float2D:
    plain: Float2D = edge.detach().clamp(-1.0, 1.0).numpy().astype(np.float64)
    return plain


def _inward(edge: torch.Tensor, slope: Float2D) -> torch.Tensor:
    """Return the slope without what would push an edge further beyond full exposure, where nothing changes any more."""
    ascent = torch.from_numpy(slope).float()
    return torch.where(edge.detach() * torch.sign(ascent) > 1.0, 0.0, ascent)


@njit(cache=True)
def edge_gradients(
    lower: Float2D, upper: Float2D, earned: Float2D, start: Float1D, terms: tuple[float, float]
) -> tuple[Float1D, Float2D, Float2D]:
    """Return the utility of windows, (E,), and its derivatives by both edges, (E, L) each.

    Parameters
    ----------
    lower, upper, earned : ndarray, (E, L)
        Edges within [-1, 1], and what an exposure of one earns per bar, in units of the utility.
    start : ndarray, (E,)
        Exposure before the first bar.
    terms : tuple
        Cost of trading an exposure of one, and λ.
    """
    cost, aversion = terms
    count, length = lower.shape
    total, held = np.zeros(count), np.empty(length + 1)
    by_lower, by_upper = np.zeros_like(lower), np.zeros_like(upper)
    for row in range(count):
        _hold(held, start[row], lower[row], upper[row])
        slope = 0.0  # derivative of the bars to come by what is held after this one
        for t in range(length - 1, -1, -1):
            before, after = held[t], held[t + 1]
            gain = after * earned[row, t] - cost * abs(after - before)
            if t == length - 1:
                gain -= cost * abs(after)  # the window ends flat
            total[row] += gain - 0.5 * aversion * gain * gain
            margin, side = 1.0 - aversion * gain, np.sign(after - before)
            slope += margin * (earned[row, t] - cost * side)
            if t == length - 1:
                slope -= margin * cost * np.sign(after)
            passed = margin * cost * side
            if before < lower[row, t]:
                by_lower[row, t], slope = slope, passed
            elif before > upper[row, t]:
                by_upper[row, t], slope = slope, passed
            else:
                slope += passed
    return total, by_lower, by_upper


@njit(cache=True)
def _hold(held: Float1D, start: float, lower: Float1D, upper: Float1D) -> None:
    """Write into ``held`` (L + 1,) the exposure before the first bar and after each one."""
    held[0] = start
    for t in range(lower.shape[0]):
        held[t + 1] = min(max(held[t], lower[t]), upper[t])

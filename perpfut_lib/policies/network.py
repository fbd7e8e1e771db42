"""Forward pass of an exported network: a fixed-order loop, so a row's bits do not depend on the rows beside it."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.accounting import Sizing, edges_of, exposure_of, within
from perpfut_lib.types import Float1D, Float2D, Float32, Int1D

ACTIVATIONS: Final = ("relu", "tanh")
NO_PARAMETERS: Final[Float1D] = np.zeros(0)
NO_SIZES: Final[Int1D] = np.zeros(0, np.int64)


class Network(NamedTuple):
    """A multilayer perceptron in one array: one output is the action, several are the values of exposures.

    With a base rule the action is a correction: it moves the base rule's no-trade region, see
    :func:`perpfut_lib.accounting.within`.
    """

    parameters: Float1D
    """Per layer: weights (inputs, outputs) in row order, then biases (outputs,)."""
    sizes: Int1D
    """Width of the input, of each hidden layer, and of the output."""
    tanh: bool
    """Activation of the hidden layers: tanh, or else rectified linear."""
    squash: bool
    """Whether a single output goes through tanh."""
    base: Float1D = NO_PARAMETERS
    """Parameters of the base rule, a rectified linear network with the outputs centre and width; empty for none."""
    base_sizes: Int1D = NO_SIZES
    """Its widths."""
    bound: float = 0.0
    """Largest correction of the base rule, in exposure."""


class Lstm(NamedTuple):
    """A layer of H long short-term memory cells, as torch holds it: gates input, forget, cell, output."""

    input: Float32
    """Weights of the D inputs, (4H, D)."""
    hidden: Float32
    """Weights of the H outputs before, (4H, H)."""
    bias: Float32
    """Sum of both biases, (4H,)."""


def make_network(layers: list[tuple[Float32, Float32]], *, activation: str, squash: bool) -> Network:
    """Return a network from weights (outputs, inputs) and biases (outputs,) per layer, as torch holds them."""
    return Network(*flatten_layers(layers), activation == "tanh", squash)


def correct_base(network: Network, base: list[tuple[Float32, Float32]], bound: float) -> Network:
    """Return ``network`` as a correction, of at most ``bound``, of the base rule with these layers."""
    parameters, sizes = flatten_layers(base)
    return network._replace(base=parameters, base_sizes=sizes, bound=bound)


def flatten_layers(layers: list[tuple[Float32, Float32]]) -> tuple[Float1D, Int1D]:
    """Return the parameters and sizes of :class:`Network`."""
    parts = [np.concatenate([np.asarray(weight, np.float64).T.ravel(), bias]) for weight, bias in layers]
    sizes = [layers[0][0].shape[1], *(len(bias) for _, bias in layers)]
    return np.concatenate(parts), np.array(sizes, np.int64)


@njit(cache=True)
def forward(network: Network, observation: Float32 | Float2D, out: Float1D) -> None:
    """Write the network's actions (P,) for observations (P, D), in double precision.

    Several outputs are the values of equally spaced exposures from -1 to 1: the best one is taken, the first of equals.
    """
    sizes, base_sizes, corrects = network.sizes, network.base_sizes, len(network.base_sizes) > 0
    widest = max(sizes.max(), base_sizes.max()) if corrects else sizes.max()
    values, sums = np.empty(widest), np.empty(widest)
    for row in range(observation.shape[0]):
        values[: sizes[0]] = observation[row]
        propagate(network.parameters, sizes, network.tanh, (values, sums))
        if network.squash:
            values[0] = np.tanh(values[0])
        out[row] = _action(values[: sizes[-1]])
        if corrects:
            values[: base_sizes[0]] = observation[row]
            propagate(network.base, base_sizes, False, (values, sums))
            lower, upper = edges_of(values[0], values[1])
            out[row] = within(
                exposure_of(observation[row, -3], observation[row, -2]), lower, upper, network.bound * out[row]
            )


@njit(cache=True)
def forward_regions(parameters: Float1D, sizes: Int1D, observation: Float32, out: Float2D) -> None:
    """Write the edges of a base rule's no-trade regions, (P, 2), for observations (P, D)."""
    values, sums = np.empty(sizes.max()), np.empty(sizes.max())
    for row in range(observation.shape[0]):
        values[: sizes[0]] = observation[row]
        propagate(parameters, sizes, False, (values, sums))
        out[row, 0], out[row, 1] = edges_of(values[0], values[1])


@njit(cache=True)
def propagate(parameters: Float1D, sizes: Int1D, tanh: bool, room: tuple[Float1D, Float1D]) -> None:
    """Replace the inputs at the head of ``room[0]`` by the outputs of the last layer."""
    values, sums = room
    last, start = len(sizes) - 2, 0
    for layer in range(last + 1):
        inputs, outputs = sizes[layer], sizes[layer + 1]
        bias = start + inputs * outputs
        sums[:outputs] = parameters[bias : bias + outputs]
        for i in range(inputs):
            value, offset = values[i], start + i * outputs
            for j in range(outputs):
                sums[j] += value * parameters[offset + j]
        start = bias + outputs
        for j in range(outputs):
            if layer == last:
                values[j] = sums[j]
            else:
                values[j] = np.tanh(sums[j]) if tanh else max(sums[j], 0.0)


@njit(cache=True)
def _action(outputs: Float1D) -> float:
    """Return the action that the outputs (O,) stand for."""
    if len(outputs) == 1:
        return min(1.0, max(-1.0, outputs[0]))
    return np.argmax(outputs) * (2.0 / (len(outputs) - 1)) - 1.0


@dataclass(frozen=True)
class NetworkPolicy:
    """A network in memory behind the policy protocol; see ``ExportedPolicy`` for one that comes with its card."""

    network: Network
    sizing: Sizing

    def act(self, observation: Float32) -> Float1D:
        """Return actions (P,) for observations (P, D)."""
        action = np.empty(len(observation))
        forward(self.network, np.ascontiguousarray(observation, np.float32), action)
        return action

"""Forward pass of an exported network: a fixed-order loop, so a row's bits do not depend on the rows beside it."""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from perpfut_lib.types import Float1D, Float2D, Float32, Int1D

ACTIVATIONS: Final = ("relu", "tanh")


class Network(NamedTuple):
    """A multilayer perceptron in one array: one output is the action, several are the values of exposures."""

    parameters: Float1D
    """Per layer: weights (inputs, outputs) in row order, then biases (outputs,)."""
    sizes: Int1D
    """Width of the input, of each hidden layer, and of the output."""
    tanh: bool
    """Activation of the hidden layers: tanh, or else rectified linear."""
    squash: bool
    """Whether a single output goes through tanh."""


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
    parts = [np.concatenate([np.asarray(weight, np.float64).T.ravel(), bias]) for weight, bias in layers]
    sizes = [layers[0][0].shape[1], *(len(bias) for _, bias in layers)]
    return Network(np.concatenate(parts), np.array(sizes, np.int64), activation == "tanh", squash)


@njit(cache=True)
def forward(network: Network, observation: Float32 | Float2D, out: Float1D) -> None:
    """Write the network's actions (P,) for observations (P, D), in double precision.

    Several outputs are the values of equally spaced exposures from -1 to 1: the best one is taken, the first of equals.
    """
    parameters, sizes = network.parameters, network.sizes
    widest = sizes.max()
    values, sums = np.empty(widest), np.empty(widest)
    last = len(sizes) - 2
    for row in range(observation.shape[0]):
        values[: sizes[0]] = observation[row]
        start = 0
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
                    values[j] = np.tanh(sums[j]) if network.squash else sums[j]
                else:
                    values[j] = np.tanh(sums[j]) if network.tanh else max(sums[j], 0.0)
        out[row] = _action(values[: sizes[last + 1]])


@njit(cache=True)
def _action(outputs: Float1D) -> float:
    """Return the action that the outputs (O,) stand for."""
    if len(outputs) == 1:
        return min(1.0, max(-1.0, outputs[0]))
    return np.argmax(outputs) * (2.0 / (len(outputs) - 1)) - 1.0

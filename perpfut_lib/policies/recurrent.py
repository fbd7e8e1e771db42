"""Exported recurrent policies: a layer of memory cells before the network, in a fixed-order loop as the network's."""

from pathlib import Path

import numpy as np
from numba import njit

from perpfut_lib.accounting import Sizing
from perpfut_lib.policies.exported import (
    ExportedPolicy,
    PolicyCard,
    Tensors,
    network_of,
    read_policy,
    require_observation,
    require_tensor,
)
from perpfut_lib.policies.network import Lstm, forward
from perpfut_lib.types import Float1D, Float2D, Float32


class ExportedRecurrentPolicy:
    """A trained recurrent network behind :class:`perpfut_lib.policies.RecurrentPolicy`, without torch.

    Parameters
    ----------
    card : PolicyCard
        What it sees and how it acts.
    tensors : dict
        Its weights by name.

    Raises
    ------
    ArtifactError
        A tensor is missing or has another shape than the card says.
    """

    def __init__(self, card: PolicyCard, tensors: Tensors) -> None:
        self.card = card
        self.sizing = Sizing(card.beta_legs, card.band, card.reach)
        self.memory_size = 2 * card.lstm
        gates = 4 * card.lstm
        self._lstm = Lstm(
            require_tensor(tensors, "lstm.input", (gates, card.observation_size)),
            require_tensor(tensors, "lstm.hidden", (gates, card.lstm)),
            require_tensor(tensors, "lstm.bias", (gates,)),
        )
        self._network = network_of(card, tensors)

    def recall(self, observation: Float32, memory: Float2D) -> tuple[Float1D, Float2D]:
        """Return actions (P,) and the memory after, (P, 2H): what the cells gave out, then what they hold.

        Raises
        ------
        PolicyError
            The observation has another width than the policy was trained with, or holds a value that is not finite.
        """
        require_observation(self.card, observation)
        after, action = memory.astype(np.float64), np.empty(len(observation))
        remember(self._lstm, np.ascontiguousarray(observation, np.float32), after)
        forward(self._network, after[:, : self.card.lstm], action)
        return action, after


def load_policy(card_path: Path) -> ExportedPolicy | ExportedRecurrentPolicy:
    """Read a policy, recurrent or not, by its card; errors as for :meth:`ExportedPolicy.load`."""
    card, tensors = read_policy(card_path)
    return ExportedRecurrentPolicy(card, tensors) if card.lstm else ExportedPolicy(card, network_of(card, tensors))


@njit(cache=True)
def remember(lstm: Lstm, observation: Float32, memory: Float2D) -> None:
    """Advance the memory (P, 2H) by one observation (P, D), in place and in double precision."""
    cells = lstm.hidden.shape[1]
    gates = np.empty(4 * cells)
    for row in range(observation.shape[0]):
        for gate in range(4 * cells):
            total = np.float64(lstm.bias[gate])
            for i in range(observation.shape[1]):
                total += lstm.input[gate, i] * np.float64(observation[row, i])
            for i in range(cells):
                total += lstm.hidden[gate, i] * memory[row, i]
            gates[gate] = total
        for cell in range(cells):
            kept = _share(gates[cells + cell]) * memory[row, cells + cell]
            held = kept + _share(gates[cell]) * np.tanh(gates[2 * cells + cell])
            memory[row, cells + cell] = held
            memory[row, cell] = _share(gates[3 * cells + cell]) * np.tanh(held)


@njit(cache=True)
def _share(value: float) -> float:
    """Return the logistic function, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * value))

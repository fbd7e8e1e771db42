"""Exported policies: weights in safetensors, all else in a JSON card, checked by hash; nothing executes on load."""

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

import numpy as np
import safetensors.numpy
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError

from perpfut_lib.accounting import Sizing
from perpfut_lib.artifacts import read_json
from perpfut_lib.errors import ArtifactError, MissingInputError, PolicyError
from perpfut_lib.policies.network import Lstm, Network, correct_base, forward, make_network
from perpfut_lib.types import Float1D, Float32, JsonObject

Tensors = dict[str, Float32]
Layers = list[tuple[Float32, Float32]]


class PolicyCard(BaseModel):
    """What a policy sees, how it acts, and where it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    algorithm: str
    """Learning algorithm, such as ``counterfactual-ppo``."""
    feature_names: tuple[str, ...]
    """Features of one row, in order."""
    lookback: int
    """Rows stacked into an observation, oldest first."""
    feature_spec: JsonObject
    """JSON of the feature specification, which live features are computed from."""
    scaler: JsonObject
    """JSON of the scaler that was fitted on training data."""
    hidden: tuple[int, ...]
    """Widths of the hidden layers."""
    activation: Literal["relu", "tanh"]
    squash: bool
    """Whether the output goes through tanh."""
    choices: int = 0
    """Equally spaced exposures from -1 to 1 whose values the network gives; 0: its one output is the action."""
    lstm: int = 0
    """Width of the recurrent layer before the hidden ones; 0: the policy remembers nothing."""
    base_hidden: tuple[int, ...] = ()
    """Widths of the hidden layers of the base rule that the action corrects; empty: the action is the exposure."""
    overlay: float = 0.0
    """Largest correction of the base rule's no-trade region, in exposure."""
    beta_legs: bool
    """Leg rule; see :class:`perpfut_lib.accounting.Sizing`, likewise the next two."""
    band: float
    reach: float
    weights_file: str
    """Name of the safetensors file beside the card."""
    weights_sha256: str
    training: JsonObject
    """Fee, seed, steps, hashes of configuration, data and code, package versions."""

    @property
    def observation_size(self) -> int:
        """Numbers in one observation: features, then both weights and the cash share."""
        return self.lookback * len(self.feature_names) + 3


class ExportedPolicy:
    """A trained network behind the policy protocol, without torch.

    Parameters
    ----------
    card : PolicyCard
        What it sees and how it acts.
    network : Network
        Its weights.
    """

    def __init__(self, card: PolicyCard, network: Network) -> None:
        self.card = card
        self.sizing = Sizing(card.beta_legs, card.band, card.reach)
        self._network = network

    def act(self, observation: Float32) -> Float1D:
        """Return actions (P,) for observations (P, D).

        Raises
        ------
        PolicyError
            The observation has another width than the policy was trained with, or holds a value that is not finite.
        """
        require_observation(self.card, observation)
        action = np.empty(len(observation))
        forward(self._network, np.ascontiguousarray(observation, np.float32), action)
        return action

    @classmethod
    def load(cls, card_path: Path) -> Self:
        """Read a card and the weights that it names.

        Raises
        ------
        MissingInputError
            The card or its weights are not there.
        ArtifactError
            The card is not valid, or the weights are not those that it was written for.
        PolicyError
            The policy is recurrent: what carries no memory from tick to tick cannot run it.
        """
        card, tensors = read_policy(card_path)
        if card.lstm:
            found = f"{card_path.name} with a memory of {card.lstm} cells ({card.algorithm})"
            raise PolicyError(found, "a policy without memory", "deploy another algorithm, or read it by load_policy")
        return cls(card, network_of(card, tensors))


def require_observation(card: PolicyCard, observation: Float32) -> None:
    """Raise :class:`PolicyError` unless observations (P, D) fit the card and are finite."""
    size = card.observation_size
    if observation.ndim != 2 or observation.shape[1] != size:
        raise PolicyError(f"an observation of shape {observation.shape}", f"(P, {size})", "use its own features")
    if not np.all(np.isfinite(observation)):
        raise PolicyError("an observation that is not finite", "finite features", "hold until data are complete")


def read_policy(card_path: Path) -> tuple[PolicyCard, Tensors]:
    """Return a card and the tensors that it names, checked by hash; see :meth:`ExportedPolicy.load` for errors."""
    try:
        card = PolicyCard.model_validate(read_json(card_path))
    except ValidationError as error:
        raise ArtifactError(f"{card_path.name}: {error}", "a valid policy card", "export the policy again") from error
    path = card_path.parent / card.weights_file
    if Path(card.weights_file).name != card.weights_file:
        raise ArtifactError(f"weights at {card.weights_file!r}", "a file beside the card", "export the policy again")
    if not path.is_file():
        raise MissingInputError(f"no {path.name}", "the weights beside their card", "export the policy again")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != card.weights_sha256:
        raise ArtifactError(f"{path.name} with sha256 {digest}", card.weights_sha256, "export the policy again")
    try:
        return card, safetensors.numpy.load(content)
    except SafetensorError as error:
        raise ArtifactError(f"{card.weights_file}: {error}", "a safetensors file", "export the policy again") from error


def pack_weights(layers: Layers, lstm: Lstm | None = None, base: Layers | None = None) -> bytes:
    """Return layers of weights (outputs, inputs) and biases (outputs,), a recurrent layer, and a base rule's layers."""
    tensors = (
        {}
        if lstm is None
        else {f"lstm.{name}": np.ascontiguousarray(t, np.float32) for name, t in lstm._asdict().items()}
    )
    for prefix, group in (("layer", layers), ("base", base or [])):
        for number, (weight, bias) in enumerate(group):
            tensors[f"{prefix}{number}.weight"] = np.ascontiguousarray(weight, np.float32)
            tensors[f"{prefix}{number}.bias"] = np.ascontiguousarray(bias, np.float32)
    return safetensors.numpy.save(tensors)


def network_of(card: PolicyCard, tensors: Tensors) -> Network:
    """Return the network of a card, with every shape checked."""
    sizes = (card.lstm or card.observation_size, *card.hidden, card.choices or 1)
    layers = _layers(tensors, "layer", sizes)
    network = make_network(layers, activation=card.activation, squash=card.squash)
    if not card.base_hidden:
        return network
    return correct_base(network, _layers(tensors, "base", (card.observation_size, *card.base_hidden, 2)), card.overlay)


def _layers(tensors: Tensors, prefix: str, sizes: tuple[int, ...]) -> Layers:
    layers = []
    for number, (inputs, outputs) in enumerate(pairwise(sizes)):
        weight = require_tensor(tensors, f"{prefix}{number}.weight", (outputs, inputs))
        layers.append((weight, require_tensor(tensors, f"{prefix}{number}.bias", (outputs,))))
    return layers


def require_tensor(tensors: Tensors, name: str, shape: tuple[int, ...]) -> Float32:
    """Return a tensor; :class:`ArtifactError` where it is not there or has another shape."""
    tensor = tensors.get(name)
    if tensor is None or tensor.shape != shape:
        found = f"no {name}" if tensor is None else f"{name} of shape {tensor.shape}"
        raise ArtifactError(found, f"shape {shape}", "export the policy again")
    return tensor

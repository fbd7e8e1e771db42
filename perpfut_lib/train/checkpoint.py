"""Checkpoints: all that changes while an agent is trained, so that a training that was killed goes on bit for bit.

Tensors and plain values only, read with ``weights_only``: nothing executes on load.
"""

import hashlib
import io
import json
import pickle
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.base_class import BaseAlgorithm

from perpfut_lib.artifacts import source_hash, write_bytes
from perpfut_lib.config import hash_json
from perpfut_lib.env import PairTradingVecEnv
from perpfut_lib.errors import ArtifactError
from perpfut_lib.train.training_task import TrainingTask

COUNTERS: Final = (
    "num_timesteps",
    "_n_updates",
    "_n_calls",
    "_current_progress_remaining",
    "exploration_rate",
    "descents",
)
REPLAY: Final = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
EXPLORATION: Final = ("exploration_mat", "exploration_matrices")


def task_digest(training_task: TrainingTask) -> str:
    """Return the SHA-256 of all that the trained weights follow from: settings, data, code, versions."""
    digest = hashlib.sha256()
    spans = (training_task.train, training_task.validate, training_task.placebo)
    for episodes in (span for span in spans if span is not None):
        for array in (episodes.features, *episodes.market, episodes.hedge_ratio):
            digest.update(np.ascontiguousarray(array).data)
    versions = {name: metadata.version(name) for name in ("torch", "stable_baselines3", "sb3_contrib", "numpy")}
    settings = {name: getattr(training_task, name).model_dump(mode="json") for name in ("env", "costs", "settings")}
    plain = {"fee": training_task.fee_bps, "seed": training_task.seed, "code": source_hash("perpfut_lib.train.fit")}
    return hash_json({"data": digest.hexdigest(), **plain, **settings, **versions})


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values atomically."""
    stream = io.BytesIO()
    torch.save(content, stream)
    write_bytes(path, stream.getvalue())


def read_checkpoint(path: Path | None, digest: str) -> dict[str, Any] | None:
    """Return what was written for the training task with this digest, or none where there is no such file.

    Raises
    ------
    ArtifactError
        The file is not a checkpoint.
    """
    if path is None or not path.is_file():
        return None
    try:
        content: dict[str, Any] = torch.load(path, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ArtifactError(f"{path.name}: {error}", "a checkpoint", "delete the file") from error
    return content if content.get("training_task") == digest else None


def capture(model: BaseAlgorithm, env: PairTradingVecEnv) -> dict[str, Any]:
    """Return everything that changes in an algorithm and its environments, as tensors and plain values."""
    names, variables = model._get_torch_save_params()
    held = {name: _find(model, name).state_dict() for name in names}
    held |= {name: _find(model, name).detach().clone() for name in variables}
    state = env.get_state()
    return {
        "held": held,
        "averages": [average.clone() for average in getattr(model, "average", [])],
        "counters": {name: getattr(model, name) for name in COUNTERS if hasattr(model, name)},
        "observation": torch.tensor(model._last_obs),
        "starts": torch.tensor(model._last_episode_starts),
        "memory": _memory(model),
        "exploration": _exploration(model),
        "replay": _replay(model),
        "environment": {name: torch.tensor(array) for name, array in state["arrays"].items()},
        "generators": json.dumps({"environment": state["generator"], "actions": _generator(model).state}),
        "numpy": _numpy_state(),
        "torch": torch.get_rng_state(),
    }


def restore(content: dict[str, Any], model: BaseAlgorithm, env: PairTradingVecEnv) -> None:
    """Put an algorithm and its environments, made from the same training task, in the state that was captured."""
    for name, value in content["held"].items():
        if isinstance(value, torch.Tensor):
            _find(model, name).data.copy_(value)
        else:
            _find(model, name).load_state_dict(value)
    for average, value in zip(getattr(model, "average", []), content["averages"], strict=True):
        average.copy_(value)
    for name, value in content["counters"].items():
        setattr(model, name, value)
    model._last_obs, model._last_episode_starts = content["observation"].numpy(), content["starts"].numpy()
    if content["memory"]:
        _set_memory(model, content["memory"])
    for name, value in content["exploration"].items():
        setattr(_noise(model), name, value)
    _set_replay(model, content["replay"])
    generators = json.loads(content["generators"])
    arrays = {name: tensor.numpy() for name, tensor in content["environment"].items()}
    env.set_state({"arrays": arrays, "generator": generators["environment"]})
    _generator(model).state = generators["actions"]
    keys, *rest = content["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002 - Stable-Baselines3 draws from it
    torch.set_rng_state(content["torch"])


def _find(model: Any, name: str) -> Any:
    for part in name.split("."):
        model = getattr(model, part)
    return model


def _generator(model: BaseAlgorithm) -> Any:
    """Return the bit generator that random actions are drawn from."""
    return model.action_space.np_random.bit_generator


def _numpy_state() -> tuple[Any, ...]:
    """Return the state of numpy's global generator, which Stable-Baselines3 shuffles with."""
    _, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - Stable-Baselines3 draws from it
    return torch.tensor(np.asarray(keys, np.int64)), *rest


def _noise(model: BaseAlgorithm) -> Any:
    """Return the distribution that holds the matrices of state-dependent exploration."""
    policy: Any = model.policy
    return getattr(policy, "action_dist", None) or getattr(getattr(policy, "actor", None), "action_dist", None)


def _exploration(model: BaseAlgorithm) -> dict[str, torch.Tensor]:
    held = _noise(model)
    return {name: getattr(held, name).detach().clone() for name in EXPLORATION if hasattr(held, name)}


def _memory(model: Any) -> list[torch.Tensor]:
    states = getattr(model, "_last_lstm_states", None)
    return [] if states is None else [tensor.clone() for pair in states for tensor in pair]


def _set_memory(model: Any, memory: list[torch.Tensor]) -> None:
    model._last_lstm_states = RNNStates((memory[0], memory[1]), (memory[2], memory[3]))


def _replay(model: Any) -> dict[str, Any]:
    """Return the filled part of the memory of transitions."""
    buffer = getattr(model, "replay_buffer", None)
    if buffer is None:
        return {}
    filled = buffer.buffer_size if buffer.full else buffer.pos
    arrays = {name: torch.tensor(getattr(buffer, name)[:filled]) for name in REPLAY}
    return {"position": buffer.pos, "full": buffer.full, "arrays": arrays}


def _set_replay(model: Any, replay: dict[str, Any]) -> None:
    if not replay:
        return
    buffer = model.replay_buffer
    buffer.pos, buffer.full = replay["position"], replay["full"]
    for name, tensor in replay["arrays"].items():
        getattr(buffer, name)[: len(tensor)] = tensor.numpy()

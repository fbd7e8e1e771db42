"""The z-score rule as an exported policy: against the spread, the harder the further it is out."""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np

from perpfut_lib.artifacts import Run, write_json
from perpfut_lib.errors import PolicyError
from perpfut_lib.features import load_features
from perpfut_lib.features.stage import Features
from perpfut_lib.policies import PolicyCard, pack_weights
from perpfut_lib.types import Float32

SLOPE: Final = 0.6
"""Of the inner tanh, per standard deviation of the spread."""
GAIN: Final = 2.0
"""Of the outer one."""
BAND: Final = 0.25
"""Changes of exposure smaller than this are not traded."""


def export_rule(card: Path, run: Run, fee_bps: float) -> None:
    """Write the card and the weights of action = tanh(GAIN tanh(-SLOPE z)), z the spread's z-score at the last bar.

    Parameters
    ----------
    card : Path
        Where to; the weights lie beside it.
    run : Run
        Its features are those that the policy sees.
    fee_bps : float
        Fee that the agent's ledger charges, basis points.

    Raises
    ------
    PolicyError
        The run has no feature ``spread_z``.
    """
    features = load_features(run)
    if "spread_z" not in features.names:
        raise PolicyError(f"features {', '.join(features.names)}", "spread_z among them", "add it to the features")
    content, weights = pack_weights(_layers(features)), card.with_suffix(".safetensors")
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(content)
    described = PolicyCard(
        algorithm="z_score",
        feature_names=features.names,
        lookback=features.lookback,
        feature_spec=features.spec.to_json(),
        scaler=features.scaler.to_json(),
        hidden=(1,),
        activation="tanh",
        squash=True,
        beta_legs=True,
        band=BAND,
        reach=1.0,
        weights_file=weights.name,
        weights_sha256=hashlib.sha256(content).hexdigest(),
        training={"fee_bps": fee_bps},
    )
    write_json(card, described.model_dump(mode="json"))


def _layers(features: Features) -> list[tuple[Float32, Float32]]:
    """Return the two layers: one hidden unit that sees the latest z-score alone, scaled back."""
    column = features.names.index("spread_z")
    center, scale = float(features.scaler.center[column]), float(features.scaler.scale[column])
    first = np.zeros((1, features.lookback * len(features.names) + 3), np.float32)
    first[0, (features.lookback - 1) * len(features.names) + column] = -SLOPE * scale
    last = np.array([[GAIN]], np.float32), np.zeros(1, np.float32)
    return [(first, np.array([-SLOPE * center], np.float32)), last]

"""How far two correct computations may lie apart: what rounding of the inputs alone does to the answer."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from perpfut_lib.types import Float1D

EPS = float(np.finfo(np.float64).eps)
Computation = Callable[..., npt.ArrayLike]


def rounding_error(compute: Computation, *inputs: npt.ArrayLike, tries: int = 3) -> Float1D:
    """Return, per value of ``compute(*inputs)``, the largest change when every input moves by at most one ulp.

    This is the condition of the problem in units of the last digit, together with the computation's own rounding. A
    backward stable method is exact for inputs some ulps away, so its distance to another one is a small multiple.
    """
    rng = np.random.default_rng(0)
    arrays = [np.asarray(each, float) for each in inputs]
    answer = np.asarray(compute(*arrays), float)
    largest = EPS * np.abs(answer)
    for _ in range(tries):
        moved = [each * (1 + EPS * rng.uniform(-1, 1, each.shape)) for each in arrays]
        largest = np.fmax(largest, np.abs(np.asarray(compute(*moved), float) - answer))
    return largest


def assert_agrees(ours: npt.ArrayLike, peer: Computation, *inputs: npt.ArrayLike, factor: float = 64.0) -> None:
    """Fail unless ``ours`` lies within ``factor`` times the rounding error of the peer, value by value."""
    distance = np.abs(np.asarray(ours, float) - np.asarray(peer(*inputs), float))
    allowed = factor * rounding_error(peer, *inputs)
    worst = int(np.nanargmax(distance / np.fmax(allowed, np.finfo(float).tiny)))
    assert not (distance > allowed).any(), (
        f"value {worst} is off by {distance.flat[worst]:.2e}, more than {factor:g} times what one ulp of input does "
        f"({allowed.flat[worst]:.2e})"
    )

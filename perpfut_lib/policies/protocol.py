"""What every policy offers, trained or not."""

from typing import Protocol, runtime_checkable

from perpfut_lib.accounting import Sizing
from perpfut_lib.types import Float1D, Float2D, Float32


class Policy(Protocol):
    """A stateless map from observations to actions.

    Row p of the answer depends on row p of the observation only, to the last bit: a pair decides the same whatever
    pairs stand beside it, so research and live agree.
    """

    @property
    def sizing(self) -> Sizing:
        """How its actions become target weights."""
        ...

    def act(self, observation: Float32) -> Float1D:
        """Return actions (P,) in [-1, 1], positive to be long the spread, for observations (P, D)."""
        ...


@runtime_checkable
class RecurrentPolicy(Protocol):
    """A policy that remembers: row p of the answer depends on row p of the observation and of the memory only.

    The memory is plain numbers that the caller carries from one decision to the next; a window begins with zeros.
    """

    memory_size: int
    """Numbers that a pair carries, M."""

    @property
    def sizing(self) -> Sizing:
        """How its actions become target weights."""
        ...

    def recall(self, observation: Float32, memory: Float2D) -> tuple[Float1D, Float2D]:
        """Return actions (P,) in [-1, 1] and the memory (P, M) after observations (P, D) and the memory before."""
        ...

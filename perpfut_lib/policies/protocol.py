"""What every policy offers, trained or not."""

from typing import Protocol

from perpfut_lib.accounting import Sizing
from perpfut_lib.types import Float1D, Float32


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

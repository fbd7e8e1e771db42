"""Orders given on the page: the standing ones with one thing changed, written as the command writes them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from agent.operation.control import Orders, write_control
from perpfut_lib.artifacts import AgentFolder, Control
from perpfut_lib.artifacts.contract import Name, Part
from perpfut_lib.errors import ArtifactError, MissingInputError


class Request(Part):
    """What a person asked for."""

    order: Literal["run", "pause", "kill"]
    """What is to be done."""
    max_exposure: Annotated[float, Field(ge=0, le=100)] | None
    """Cap on gross exposure, share of equity; none: no cap."""
    deny: Annotated[tuple[Name, ...], Field(max_length=200)]
    """Symbols never to trade."""
    note: Annotated[str, Field(max_length=300)] = ""
    """For people."""
    seen: int | None
    """Number of the orders that the person saw while deciding; none: there were none."""

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.deny)) != len(self.deny):
            raise ValueError("a symbol is denied twice")
        return self


class OrdersChanged(ArtifactError):
    """Somebody else gave orders in between."""


def give(folder: AgentFolder, request: Request, name: str, now: int | None = None) -> Control:
    """Write the orders, dated ``now``, and return them; the list of allowed symbols stays as it was.

    Raises
    ------
    OrdersChanged
        The standing orders are not those that the person saw. Kill is never refused for that.
    ArtifactError
        Another console is writing at this moment.
    """
    with folder.lock("control"):
        standing = _standing(folder)
        if request.order != "kill" and (standing.seq if standing else None) != request.seen:
            found = f"orders no. {standing.seq} by {standing.run_id}" if standing else "no readable orders"
            raise OrdersChanged(found, f"no. {request.seen}", "look at the new ones, then decide again")
        orders = Orders(
            request.order,
            request.max_exposure,
            standing.allow if standing else None,
            request.deny,
            request.note,
            by=f"console:{name}",
        )
        return write_control(folder, orders, now)


def _standing(folder: AgentFolder) -> Control | None:
    try:
        return folder.read(Control)
    except (MissingInputError, ArtifactError):
        return None  # unreadable orders may be replaced: they mean pause

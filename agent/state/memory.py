"""What the fast tick remembers between bars; replacing its file is what commits a tick."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from pydantic import JsonValue

from agent.state.pair_ledger import PairLedger, Pending
from agent.state.sealed_file import read_sealed, seal_content
from perpfut_lib.artifacts import ActivePair, Seen, Signal
from perpfut_lib.artifacts.contract import Part
from perpfut_lib.errors import ArtifactError, MissingInputError
from perpfut_lib.features import FeatureSpec, FeatureState
from perpfut_lib.types import Float1D, Json, JsonObject

SCHEMA: Final = 1
Settlements = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class FollowedPair:
    """One pair on one trading window, up to its last settled bar.

    The newest bar is never settled: exchanges correct it, so the next tick fetches it once more and steps over it anew.
    """

    pair: str
    """Name."""
    legs: tuple[str, str]
    """Symbols y and x."""
    valid_from: int
    """Start of its trading window, ms UTC."""
    state: FeatureState
    """Feature recursion after the last settled bar."""
    settlements: Mapping[str, Settlements]
    """Latest funding settlements by symbol: time (ms UTC) and rate."""
    checked: int
    """Until when settlements were asked for, ms UTC."""
    closes: tuple[float, float]
    """Closes of the last settled bar."""
    marks: tuple[float, float]
    """Last closes seen."""
    ledger: PairLedger
    """The pair's ledger."""
    queue: tuple[Pending, ...] = ()
    """Decisions that are not booked yet, in order."""
    expires_at: int = 0
    """When the last signal with this pair ran out, ms UTC."""

    @property
    def waiting(self) -> int:
        """Return the number of bars that the pair has waited for data: each added a decision that is not booked."""
        return max(0, len(self.queue) - 1)


class Capital(Part):
    """The agent's own portfolio over windows, in units of its first equity."""

    base: float = 1.0
    """Equity at the start of the window."""
    equity: float = 1.0
    """Equity at the last marks."""
    peak: float = 1.0
    """Highest equity so far."""
    window: int = 0
    """Start of the window, ms UTC."""
    account_start: float | None = None
    """The account's equity at the start of the window, quote currency; none where nobody reported it."""

    def drawdown(self) -> float:
        """Return the fall from the peak, fraction."""
        return max(0.0, 1.0 - self.equity / self.peak)


@dataclass(frozen=True)
class Memory:
    """Everything that the next fast tick needs of the past."""

    seq: int = 0
    """Sequence number of the last signal."""
    bar_close: int = 0
    """Bar of the last signal, ms UTC."""
    control_seq: int = -1
    """Highest control file seen."""
    pairs_seen: Seen = field(default_factory=Seen)
    """Newest active pairs seen."""
    capital: Capital = field(default_factory=Capital)
    """The portfolio."""
    followed_pairs: Mapping[str, FollowedPair] = field(default_factory=dict)
    """By pair."""
    signal: Signal | None = None
    """The last signal, to be published again if that was cut short."""


def save(path: Path, memory: Memory) -> None:
    """Commit the memory: atomic, sealed, floats to the last bit; :class:`ValueError` if one of them is not finite."""
    # orjson writes the same floats twenty times faster than json, but NaN as null.
    capital = memory.capital
    numbers = [capital.base, capital.equity, capital.peak, capital.account_start or 0.0]
    if not np.isfinite(np.concatenate([numbers, *map(_numbers, memory.followed_pairs.values())])).all():
        raise ValueError("a memory with numbers that are not finite")
    seal_content(path, orjson.dumps(_to_json(memory)))


def load(path: Path, spec: FeatureSpec | None) -> Memory:
    """Read what :func:`save` wrote; a memory that was never saved is empty.

    Without a ``spec`` (there is no policy, so everything is flat) pairs are forgotten: they start anew.

    Raises
    ------
    ArtifactError
        The file is not what was written.
    """
    try:
        tree = read_sealed(path)
        if tree["schema"] != SCHEMA:
            raise ValueError(f"schema {tree['schema']!r}")
        return _from_json(tree, spec)
    except MissingInputError:
        return Memory()
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path.name}: {str(error)[:300]}", "an intact memory", "look at the disk") from error


def start_following(pair: ActivePair, valid_from: int, spec: FeatureSpec) -> FollowedPair:
    """Return a pair that was just selected, as followed from now on; errors as for ``FeatureState.from_json``."""
    state = pair.filter_state
    return FollowedPair(
        pair=pair.pair,
        legs=(pair.y, pair.x),
        valid_from=valid_from,
        state=FeatureState.from_json(spec, state["features"]),  # type: ignore[arg-type]
        settlements=_settlements(state["settlements"]),
        checked=int(state["checked"]),  # type: ignore[arg-type]
        closes=_two(state["closes"]),
        marks=_two(state["closes"]),
        ledger=PairLedger(time=valid_from),
    )


def filter_state(
    state: FeatureState, settlements: Mapping[str, Settlements], checked: int, closes: tuple[float, float]
) -> dict[str, JsonValue]:
    """Return what the slow tick hands to :func:`start_following`."""
    return {
        "features": state.to_json(),
        "settlements": {symbol: [list(event) for event in events] for symbol, events in settlements.items()},
        "checked": checked,
        "closes": list(closes),
    }


def decided(followed: FollowedPair, pending: Pending, expires_at: int) -> FollowedPair:
    """Return the pair with one more decision in its queue."""
    return replace(followed, queue=(*followed.queue, pending), expires_at=expires_at)


def _to_json(memory: Memory) -> JsonObject:
    return {
        "schema": SCHEMA,
        "seq": memory.seq,
        "bar_close": memory.bar_close,
        "control_seq": memory.control_seq,
        "pairs_seen": [memory.pairs_seen.seq, memory.pairs_seen.digest],
        "capital": memory.capital.model_dump(mode="json"),
        "tracks": [_followed_to_json(followed) for followed in memory.followed_pairs.values()],
        "signal": None if memory.signal is None else memory.signal.model_dump(mode="json"),
    }


def _from_json(tree: Mapping[str, Json], spec: FeatureSpec | None) -> Memory:
    followed_pairs = [_followed_from_json(followed, spec) for followed in tree["tracks"]] if spec is not None else []
    signal = tree["signal"]
    return Memory(
        seq=tree["seq"],
        bar_close=tree["bar_close"],
        control_seq=tree["control_seq"],
        pairs_seen=Seen(*tree["pairs_seen"]),
        capital=Capital.model_validate_json(json.dumps(tree["capital"])),
        followed_pairs={followed.pair: followed for followed in followed_pairs},
        signal=None if signal is None else Signal.model_validate_json(json.dumps(signal)),
    )


def _numbers(followed: FollowedPair) -> Float1D:
    """Return every number of a pair that must be finite: the recursion, the ledger, the decisions in the queue."""
    ledger, numbers = followed.ledger, [*followed.closes, *followed.marks]
    numbers += [ledger.cash, ledger.quantity_y, ledger.quantity_x]
    for pending in followed.queue:
        numbers += [*pending.marks, *(pending.weights or ())]
    numbers += [rate for events in followed.settlements.values() for _, rate in events]
    records = [asset.state for asset in followed.state.assets.values()]
    records += [pair.state for pair in followed.state.pairs.values()]
    return np.concatenate([numbers, *(np.frombuffer(record.tobytes()) for record in records)])


def _followed_to_json(followed: FollowedPair) -> JsonObject:
    return {
        "pair": followed.pair,
        "legs": list(followed.legs),
        "valid_from": followed.valid_from,
        "filter": filter_state(followed.state, followed.settlements, followed.checked, followed.closes),
        "marks": list(followed.marks),
        "book": followed.ledger.model_dump(mode="json"),
        "queue": [pending.model_dump(mode="json") for pending in followed.queue],
        "expires_at": followed.expires_at,
    }


def _followed_from_json(tree: Mapping[str, Json], spec: FeatureSpec) -> FollowedPair:
    state = tree["filter"]
    return FollowedPair(
        pair=tree["pair"],
        legs=(tree["legs"][0], tree["legs"][1]),
        valid_from=tree["valid_from"],
        state=FeatureState.from_json(spec, state["features"]),
        settlements=_settlements(state["settlements"]),
        checked=state["checked"],
        closes=_two(state["closes"]),
        marks=_two(tree["marks"]),
        ledger=PairLedger.model_validate_json(json.dumps(tree["book"])),
        queue=tuple(Pending.model_validate_json(json.dumps(pending)) for pending in tree["queue"]),
        expires_at=tree["expires_at"],
    )


def _settlements(tree: Any) -> dict[str, Settlements]:
    return {symbol: tuple((int(time), float(rate)) for time, rate in events) for symbol, events in tree.items()}


def _two(values: Any) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)

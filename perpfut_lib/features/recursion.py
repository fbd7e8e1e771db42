"""Features one bar at a time: the form that the live agent runs, on a state that goes through JSON without loss."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self, TypeVar

import numpy as np

from perpfut_lib.errors import ArtifactError
from perpfut_lib.features.asset import AssetBar, AssetState, asset_step, empty_asset
from perpfut_lib.features.pair import Pair, PairState, empty_pair, filter_noise, pair_step
from perpfut_lib.features.spec import ASSET_COUNT, FeatureSpec, assemble
from perpfut_lib.types import Float1D, Float2D

SCHEMA: Final = 1
Tuple = TypeVar("Tuple", bound=tuple[Any, ...])


@dataclass(frozen=True)
class AssetTrack:
    """One symbol: its recursion and what it said of the last bars."""

    state: AssetState
    recent: Float2D
    """Quantities of the last ``lookback`` bars, oldest first, (lookback, fields of AssetQuantities); 0 before them."""


@dataclass(frozen=True)
class PairTrack:
    """One pair: its fixed numbers, its recursion and its last feature rows."""

    y: str
    x: str
    pair: Pair
    state: PairState
    window: Float2D
    """Raw features of the last ``lookback`` bars, oldest first, (lookback, F)."""


@dataclass(frozen=True)
class FeatureState:
    """Everything that the recursion remembers; :meth:`to_json` loses not a bit of it."""

    time: int
    """Open time of the last bar seen, ms UTC; -1 before the first."""
    assets: Mapping[str, AssetTrack]
    """By symbol."""
    pairs: Mapping[str, PairTrack]
    """By a key that the caller chooses."""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; floats are written so that they read back to the same bits."""
        assets = {
            name: {"state": dump(track.state), "recent": _rows(track.recent)} for name, track in self.assets.items()
        }
        pairs = {
            key: {
                "y": track.y,
                "x": track.x,
                "pair": track.pair._asdict(),
                "state": dump(track.state),
                "window": _rows(track.window),
            }
            for key, track in self.pairs.items()
        }
        return {"schema": SCHEMA, "time": self.time, "assets": assets, "pairs": pairs}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ArtifactError
            The object has another schema, or lacks a field.
        """
        if data.get("schema") != SCHEMA:
            found = f"a feature state of schema {data.get('schema')!r}"
            raise ArtifactError(found, f"schema {SCHEMA}", "start the recursion afresh from stored candles")
        try:
            assets = {
                name: AssetTrack(load(AssetState, track["state"]), _array(track["recent"]))
                for name, track in data["assets"].items()
            }
            pairs = {key: _load_pair(track) for key, track in data["pairs"].items()}
            return cls(int(data["time"]), assets, pairs)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"a feature state with {error!r}", "every field", "start the recursion afresh"
            ) from error


def init_state(spec: FeatureSpec, symbols: tuple[str, ...]) -> FeatureState:
    """Return the state before the first bar of ``symbols``, without pairs."""
    blank = np.zeros((spec.lookback, ASSET_COUNT))
    tracks = {symbol: AssetTrack(empty_asset(spec.indicators), blank.copy()) for symbol in symbols}
    return FeatureState(-1, tracks, {})


def step(
    spec: FeatureSpec, state: FeatureState, open_time: int, bars: Mapping[str, AssetBar]
) -> tuple[FeatureState, dict[str, Float1D]]:
    """Advance by one closed bar of every symbol.

    Parameters
    ----------
    spec : FeatureSpec
        Which features.
    state : FeatureState
        Left as it is.
    open_time : int
        Open time of the bar, ms UTC, one bar after the last.
    bars : mapping
        One bar for every symbol of the state; close NaN for a symbol that has none, which leaves it where it was.

    Returns
    -------
    state : FeatureState
        After the bar.
    rows : dict
        Raw features (F,) of every pair, NaN where a leg has no bar.

    Raises
    ------
    ArtifactError
        A symbol has no entry in ``bars``, or the bar is not later than the last one.
    """
    missing = sorted(set(state.assets) - set(bars))
    if missing or open_time <= state.time:
        found = f"no bar of {', '.join(missing)}" if missing else f"bar {open_time} after bar {state.time}"
        raise ArtifactError(found, "the next bar of every symbol", "fetch the bars in between, or start afresh")
    assets = {symbol: _step_asset(spec, track, bars[symbol]) for symbol, track in state.assets.items()}
    pairs = {
        key: _step_pair(spec, track, open_time, assets, (bars[track.y].close, bars[track.x].close))
        for key, track in state.pairs.items()
    }
    return FeatureState(open_time, assets, pairs), {key: track.window[-1] for key, track in pairs.items()}


def open_pair(
    spec: FeatureSpec, state: FeatureState, key: str, legs: tuple[str, str], pair: Pair, closes: Float2D
) -> FeatureState:
    """Return ``state`` with one pair more, warmed on its formation window.

    Parameters
    ----------
    spec : FeatureSpec
        Which features.
    state : FeatureState
        Holds both symbols.
    key : str
        Name of the pair in the state; an old one of that name is replaced.
    legs : tuple
        Symbols y and x.
    pair : Pair
        Its fixed numbers.
    closes : Float2D
        Closes of both legs from the formation window's first bar to the state's last one, (n, 2).

    Raises
    ------
    ArtifactError
        ``closes`` do not span that time, or the state does not hold both symbols.
    """
    count = round((state.time - pair.formation_start) / pair.timeframe) + 1
    unknown = [symbol for symbol in legs if symbol not in state.assets]
    if unknown or len(closes) != count or count < 1:
        found = f"{len(closes)} closes of {'/'.join(legs)}, without a state of {', '.join(unknown) or 'none'}"
        raise ArtifactError(found, f"{count} closes and both states", "read the bars from the formation's start")
    track = PairTrack(*legs, pair, empty_pair(pair, spec.indicators), np.zeros((spec.lookback, len(spec.features))))
    noise, picks = filter_noise(pair, spec.indicators), (spec.columns(), spec.transforms())
    for number, (close_y, close_x) in enumerate(closes):
        time = pair.formation_start + number * pair.timeframe
        said = pair_step(spec.indicators, pair, noise, track.state, (time, float(close_y), float(close_x)))
        age = count - number
        if age <= spec.lookback:
            recent_y, recent_x = (state.assets[symbol].recent[spec.lookback - age] for symbol in legs)
            assemble(said, recent_y, recent_x, picks, track.window[spec.lookback - age])
    return replace(state, pairs={**state.pairs, key: track})


def dump(state: tuple[Any, ...]) -> dict[str, Any]:
    """Return a (nested) NamedTuple of float64 arrays as JSON."""
    fields = zip(state._fields, state, strict=True)  # type: ignore[attr-defined]
    return {name: dump(value) if isinstance(value, tuple) else value.tolist() for name, value in fields}


def load(kind: type[Tuple], data: Mapping[str, Any]) -> Tuple:
    """Read what :func:`dump` wrote of a NamedTuple class."""
    fields = kind.__annotations__.items()
    return kind(*(load(part, data[name]) if hasattr(part, "_fields") else _array(data[name]) for name, part in fields))


def _copy(state: Tuple) -> Tuple:
    """Return a copy that shares no memory."""
    return type(state)(*(_copy(value) if isinstance(value, tuple) else value.copy() for value in state))


def _step_asset(spec: FeatureSpec, track: AssetTrack, bar: AssetBar) -> AssetTrack:
    state = _copy(track.state)
    said = asset_step(spec.indicators, state, AssetBar(*map(float, bar)))
    return AssetTrack(state, np.vstack([track.recent[1:], said]))


def _step_pair(
    spec: FeatureSpec, track: PairTrack, open_time: int, assets: Mapping[str, AssetTrack], closes: tuple[float, float]
) -> PairTrack:
    row = np.full(len(spec.features), math.nan)
    state = _copy(track.state)
    if not any(map(math.isnan, closes)):
        bar = (float(open_time), float(closes[0]), float(closes[1]))
        said = pair_step(spec.indicators, track.pair, filter_noise(track.pair, spec.indicators), state, bar)
        assemble(said, assets[track.y].recent[-1], assets[track.x].recent[-1], (spec.columns(), spec.transforms()), row)
    return replace(track, state=state, window=np.vstack([track.window[1:], row]))


def _load_pair(data: Mapping[str, Any]) -> PairTrack:
    state, window = load(PairState, data["state"]), _array(data["window"])
    return PairTrack(data["y"], data["x"], Pair(**data["pair"]), state, window)


def _array(data: Any) -> Any:
    return np.array(data, np.float64)


def _rows(table: Float2D) -> list[Any]:
    """Return a table as JSON with null for NaN."""
    return [[None if math.isnan(value) else value for value in row] for row in table.tolist()]

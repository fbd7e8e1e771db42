"""The closed loop as an artifact and as text."""

from datetime import UTC, datetime
from typing import Final

from agent.demo.comparison import attribution, bar_rows, equal_decisions
from agent.demo.loop import Recording
from perpfut_lib.types import JsonObject

PARTS: Final = ("backtest", "decisions", "rounding", "latency", "slippage", "fees", "funding", "earned")
NAME: Final = "closed_loop"


def result(recording: Recording, speed: float) -> JsonObject:
    """Return the closed loop as plain JSON, numbers cut to what they are good for."""
    episode = recording.episode
    parts = attribution(episode, recording.open_price)
    return {
        "bars": len(episode.signals),
        "speed": speed,
        "base": episode.base,
        "fee_bps": episode.fee_bps,
        "slippage_bps": episode.slippage_bps,
        "start": episode.signals[0].bar_close,
        "end": episode.end,
        "equal_decisions": equal_decisions(episode.signals, episode.replayed),
        "attribution": {name: round(parts[name], 6) for name in PARTS},
        "residual": round(recording.wallet[1] - recording.wallet[0] - parts["earned"], 6),
        **{name: round(v, 6) if isinstance(v, float) else v for name, v in summary(recording).items()},
        "rows": bar_rows(episode, recording.open_price),
        "trades": [
            {
                "time": fill.time,
                "symbol": fill.symbol,
                "quantity": fill.quantity,
                "price": fill.price,
                "middle": round(fill.middle, 8),
                "fee": fill.fee,
            }
            for fill in episode.fills
        ],
    }


def text(found: JsonObject) -> str:
    """Return the result as a table of bars and a list of parts."""
    lines = [f"{'bar':>8} {'pairs':<44} {'target':>7} {'fills':>5} {'traded':>9} {'last fill':>9} {'gap':>8}"]
    for row in found["rows"]:
        at = datetime.fromtimestamp(row["bar_close"] / 1000, UTC).strftime("%H:%M")
        pairs = " ".join(f"{pair} {_action(action)}" for pair, (action, _) in row["pairs"].items())
        last = "" if row["last_fill_ms"] is None else f"{row['last_fill_ms'] / 1000:.1f} s"
        lines.append(
            f"{at:>8} {pairs[:44]:<44} {row['gross_target']:>7.3f} {row['fills']:>5} {row['traded']:>9.0f} "
            f"{last:>9} {row['gap']:>8.2f}"
        )
    lines += ["", f"{found['bars']} bars at {found['speed']:g} times real time, {found['real_seconds']:.0f} s"]
    lines.append(f"decisions equal to those of the replay: {found['equal_decisions']} of {found['bars']}")
    lines.append(f"orders {found['orders']}, fills {found['fills']}, rejects {found['rejects']}")
    lines.append(f"governor: {found['governor_mode']}, alarms {', '.join(found['governor_alarms']) or 'none'}")
    lines += [f"{name:>10} {found['attribution'][name]:>12.4f} USDT" for name in PARTS]
    lines.append(f"{'wallet':>10} {found['wallet_change']:>12.4f} USDT (residual {found['residual']:.6f})")
    return "\n".join(lines)


def _action(action: float | None) -> str:
    return "-" if action is None else f"{action:+.2f}"


def summary(recording: Recording) -> JsonObject:
    """Return how the loop ran."""
    report = recording.report
    return {
        "orders": recording.orders,
        "fills": len(recording.episode.fills),
        "rejects": report.rejects,
        "fill_latency_ms": report.fill_latency_ms,
        "slippage_bps": report.slippage_bps,
        "executor_equity_change": report.equity - recording.wallet[0],
        "wallet_change": recording.wallet[1] - recording.wallet[0],
        "governor_mode": recording.governor.mode,
        "governor_alarms": list(recording.governor.alarms),
        "governor_seq": recording.governor.seq,
        "real_seconds": recording.seconds,
    }

"""Small valid documents of every kind, to be varied by tests."""

from perpfut_lib.artifacts import (
    ActivePair,
    ActivePairs,
    Control,
    GovernorOrder,
    Leg,
    Metrics,
    PairReport,
    PerfSnapshot,
    Position,
    Provenance,
    RetrainRequest,
    Signal,
)

NOW = 1_750_000_000_000
MINUTE = 60_000
PROVENANCE = Provenance(config="0" * 64, code="unknown", inputs={"policy": "1" * 64})
COMMON = {"schema_version": 1, "seq": 7, "run_id": "test", "created_at": NOW}


def active_pair(y="AAA", x="BBB", **changes):
    values = {
        "pair": f"{y}~{x}",
        "y": y,
        "x": x,
        "rank": 0,
        "alpha": 0.1,
        "beta": 0.8,
        "correlation": 0.9,
        "stat": -4.2,
        "pvalue": 0.01,
        "lag": 2,
        "half_life": 60.0,
        "spread_mean": 0.0,
        "spread_std": 0.003,
        "pvalue_now": 0.02,
        "filter_state": {"ewma": 0.25, "counts": [1, 2]},
    }
    return ActivePair(**(values | changes))


def active_pairs(**changes):
    values = COMMON | {
        "kind": "active_pairs",
        "bar_close": NOW,
        "valid_from": NOW,
        "valid_until": NOW + 1440 * MINUTE,
        "timeframe": MINUTE,
        "slots": 5,
        "tested": 28,
        "reselect_seq": 0,
        "pairs": (active_pair(),),
        "provenance": PROVENANCE,
    }
    return ActivePairs(**(values | changes))


def signal(**changes):
    values = COMMON | {
        "kind": "signal",
        "bar_close": NOW,
        "expires_at": NOW + 3 * MINUTE,
        "kill": False,
        "legs": (
            Leg(pair="AAA~BBB", symbol="AAA", weight=0.1, price=100.0),
            Leg(pair="AAA~BBB", symbol="BBB", weight=-0.08, price=20.0),
        ),
        "pairs": (PairReport(pair="AAA~BBB", action=0.9, status="active", reasons=()),),
        "reasons": (),
        "provenance": PROVENANCE,
    }
    return Signal(**(values | changes))


def control(**changes):
    values = COMMON | {
        "kind": "control",
        "pause": False,
        "kill": False,
        "max_exposure": None,
        "allow": None,
        "deny": (),
    }
    return Control(**(values | changes))


def perf_snapshot(**changes):
    values = COMMON | {
        "kind": "perf_snapshot",
        "signal_seq": 6,
        "equity": 10_000.0,
        "peak_equity": 10_100.0,
        "price_pnl": 5.0,
        "funding": -0.5,
        "fees": 1.0,
        "slippage_bps": 0.4,
        "fills": 12,
        "rejects": 0,
        "fill_latency_ms": 350.0,
        "positions": (Position(symbol="AAA", quantity=10.0, mark=100.0, target=10.0, liquidation_price=None),),
    }
    return PerfSnapshot(**(values | changes))


METRICS = Metrics(
    snapshots=3,
    drawdown=0.01,
    window_return=-0.01,
    cost_share=0.001,
    slippage_bps=0.4,
    reject_rate=0.0,
    tracking_error=0.0,
    lost_pairs=0.0,
)


def governor_order(**changes):
    values = COMMON | {
        "kind": "governor",
        "mode": "run",
        "until": 0,
        "alarms": (),
        "reselect_seq": 0,
        "metrics": METRICS,
        "reasons": (),
        "provenance": PROVENANCE,
    }
    return GovernorOrder(**(values | changes))


def retrain_request(**changes):
    values = {"kind": "retrain_request", "alarms": ("drawdown",), "metrics": METRICS, "provenance": PROVENANCE}
    return RetrainRequest(**(COMMON | values | changes))


EVERY_KIND = (active_pairs, signal, control, perf_snapshot, governor_order, retrain_request)

"""The two-leg ledger: what a position earns and costs, the same everywhere."""

from perpfut_lib.accounting.exposure import STILL, Sizing, edges_of, exposure_of, size_exposure, size_legs, within
from perpfut_lib.accounting.ledger import Accountant, Ledger, Market, flattening_at, make_market, prices_at, settle
from perpfut_lib.accounting.liquidation import MAINTENANCE_MARGIN, liquidation_distance
from perpfut_lib.accounting.step import (
    BPS,
    Costs,
    Flow,
    Holding,
    StepPrices,
    equity_at,
    flatten_step,
    held_weights,
    settle_step,
    target_weights,
    trade_cost,
)

__all__ = [
    "BPS",
    "MAINTENANCE_MARGIN",
    "STILL",
    "Accountant",
    "Costs",
    "Flow",
    "Holding",
    "Ledger",
    "Market",
    "Sizing",
    "StepPrices",
    "edges_of",
    "equity_at",
    "exposure_of",
    "flatten_step",
    "flattening_at",
    "held_weights",
    "liquidation_distance",
    "make_market",
    "prices_at",
    "settle",
    "settle_step",
    "size_exposure",
    "size_legs",
    "target_weights",
    "trade_cost",
    "within",
]

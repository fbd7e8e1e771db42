"""Risk: every check closes what it should, with its code, and no sequence of actions and states breaks a limit."""

import math
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.decision.risk import AccountView, PairTarget, Situation, check
from perpfut_lib.accounting import liquidation_distance
from perpfut_lib.artifacts import Reason
from perpfut_lib.config import RiskConfig
from tests.agent.documents import control

LIMITS = RiskConfig()
ACCOUNT = AccountView(equity=10_000.0, start_equity=10_000.0, drawdown=0.0, imbalance=0.0)
FINE = Situation(control=control(), account=ACCOUNT)
WHOLE = {
    Reason.CONTROL_UNREADABLE: replace(FINE, control=None),
    Reason.KILLED: replace(FINE, control=control(kill=True)),
    Reason.PAUSED: replace(FINE, control=control(pause=True)),
    Reason.GOVERNOR_PAUSED: replace(FINE, governor_mode="pause"),
    Reason.GOVERNOR_UNREADABLE: replace(FINE, governor_mode=None),
    Reason.DRAWDOWN: replace(FINE, account=replace(ACCOUNT, drawdown=0.25)),
    Reason.LEG_IMBALANCE: replace(FINE, account=replace(ACCOUNT, imbalance=0.2)),
    Reason.PAIRS_UNREADABLE: replace(FINE, faults=(Reason.PAIRS_UNREADABLE,)),
    Reason.LEVERAGE: replace(FINE, account=replace(ACCOUNT, equity=700.0)),
}


def target(action=0.9, beta=0.8, slot=0.2, **changes):
    weight = slot * action / (1 + abs(beta))
    values = {
        "pair": "AAA~BBB",
        "symbols": ("AAA", "BBB"),
        "weights": (weight, -weight * beta),
        "slot": slot,
        "hedge_ratio": beta,
        "z": 1.0,
        "z_limit": 4.0,
        "pvalue": 0.01,
    }
    return PairTarget(**(values | changes))


def test_what_is_in_order_passes_unchanged():
    """No check touches a target inside every limit, to the last bit."""
    risk_result = check([target()], FINE, LIMITS)
    assert risk_result.weights == {"AAA~BBB": target().weights}
    assert risk_result.reasons == {"AAA~BBB": ()}
    assert (risk_result.overall, risk_result.kill, risk_result.scale) == ((), False, 1.0)


@pytest.mark.parametrize("code", WHOLE)
def test_a_fault_of_the_whole_flattens_everything(code):
    """Each fault of the whole tick closes every pair and names itself."""
    risk_result = check([target(), target(pair="CCC~DDD", symbols=("CCC", "DDD"))], WHOLE[code], LIMITS)
    assert code in risk_result.overall
    assert set(risk_result.weights.values()) == {(0.0, 0.0)}
    assert risk_result.kill == (code == Reason.KILLED)


def test_book_drawdown_flattens_everything():
    """The agent's own book stops too, without any word from the execution side."""
    assert check([target()], replace(FINE, book_drawdown=0.25), LIMITS).overall == (Reason.DRAWDOWN,)


def test_missing_performance_matters_where_it_is_required():
    """Without an account view everything is flat if performance is required, and nothing changes if it is not."""
    blind = replace(FINE, account=None)
    assert check([target()], blind, LIMITS).overall == ()
    required = LIMITS.model_copy(update={"require_performance": True})
    assert check([target()], blind, required).overall == (Reason.PERFORMANCE_STALE,)


@pytest.mark.parametrize(
    ("code", "changes", "situation"),
    [
        (Reason.DENIED, {}, replace(FINE, control=control(deny=("BBB",)))),
        (Reason.NOT_ALLOWED, {}, replace(FINE, control=control(allow=("AAA", "CCC")))),
        (Reason.NOT_FINITE, {"weights": (math.nan, 0.0)}, FINE),
        (Reason.NOT_FINITE, {"weights": (math.inf, 0.0)}, FINE),
        (Reason.PAIR_EXPOSURE, {"weights": (0.2, -0.16)}, FINE),
        (Reason.LEG_EXPOSURE, {"weights": (0.26, 0.0), "hedge_ratio": 0.0}, FINE),
        (Reason.LEG_IMBALANCE, {"weights": (0.1, 0.0)}, FINE),
        (Reason.LOST_COINTEGRATION, {"pvalue": 0.51}, FINE),
        (Reason.LOST_COINTEGRATION, {"pvalue": math.nan}, FINE),
        (Reason.BEYOND_TRAINING, {"z": -5.1}, FINE),
        (Reason.BEYOND_TRAINING, {"z": math.nan}, FINE),
        (Reason.FUNDING_SPIKE, {"funding_rates": (0.0, -0.006)}, FINE),
        (Reason.FUNDING_SPIKE, {"funding_rates": (0.0, math.nan)}, FINE),
        (Reason.DATA_MISSING, {"faults": (Reason.DATA_MISSING,)}, FINE),
        (Reason.MIN_NOTIONAL, {"weights": (0.001, -0.0008)}, FINE),
    ],
)
def test_a_fault_of_one_pair_closes_it_alone(code, changes, situation):
    """Each fault of a pair closes both of its legs, names itself, and leaves the other pair as it was."""
    other = target(pair="CCC~AAA", symbols=("CCC", "AAA"))
    risk_result = check([target(**changes), other], situation, LIMITS)
    assert code in risk_result.reasons["AAA~BBB"]
    assert risk_result.weights == {"AAA~BBB": (0.0, 0.0), "CCC~AAA": other.weights}
    assert risk_result.overall == ()


def test_a_held_pair_stays():
    """Holding is not a fault: the target stays, also where the legs have drifted apart."""
    held = target(weights=(0.1, -0.06), held=True, faults=(Reason.HELD,))
    risk_result = check([held], FINE, LIMITS)
    assert risk_result.weights == {"AAA~BBB": (0.1, -0.06)}
    assert risk_result.reasons == {"AAA~BBB": (Reason.HELD,)}


def test_a_crowded_symbol_closes_all_its_pairs():
    """Two pairs that meet in one symbol above its limit are both closed; a third one stays."""
    limits = LIMITS.model_copy(update={"max_symbol_exposure": 0.15})
    pairs = [target(), target(pair="AAA~CCC", symbols=("AAA", "CCC")), target(pair="DDD~EEE", symbols=("DDD", "EEE"))]
    risk_result = check(pairs, FINE, limits)
    assert risk_result.closed == {"AAA~BBB", "AAA~CCC"}
    assert risk_result.reasons["AAA~CCC"] == (Reason.SYMBOL_EXPOSURE,)


def test_total_exposure_and_liquidation_close_everything():
    """More gross than allowed, or a liquidation too near, leaves nothing."""
    for code, update in ((Reason.TOTAL_EXPOSURE, {"max_total_exposure": 0.1}), (Reason.LIQUIDATION, {})):
        limits = LIMITS.model_copy(update=update or {"min_liquidation_distance": 10.0})
        risk_result = check([target()], FINE, limits)
        assert risk_result.overall == (code,)
        assert risk_result.closed == {"AAA~BBB"}


def test_the_operator_s_cap_scales():
    """The cap is met by scaling all targets alike; what falls below the smallest notional then goes."""
    risk_result = check([target()], replace(FINE, control=control(max_exposure=0.09)), LIMITS)
    assert sum(map(abs, risk_result.weights["AAA~BBB"])) == pytest.approx(0.09)
    assert risk_result.overall == (Reason.EXPOSURE_CAPPED,)
    none = check([target()], replace(FINE, control=control(max_exposure=0.0)), LIMITS)
    assert none.weights["AAA~BBB"] == (0.0, 0.0)


def test_the_distance_to_liquidation_is_that_of_the_ledger():
    """Proves the limit to the last bit: the distance of the account's longs and shorts now, equity lost included."""
    account, weights = replace(ACCOUNT, equity=0.5 * ACCOUNT.start_equity), target().weights
    distance = float(liquidation_distance(2 * weights[0], -2 * weights[1], LIMITS.maintenance_margin))
    for least, closed in ((distance, False), (np.nextafter(distance, np.inf), True)):
        limits = LIMITS.model_copy(update={"min_liquidation_distance": least})
        risk_result = check([target()], replace(FINE, account=account), limits)
        assert (Reason.LIQUIDATION in risk_result.overall) is closed


ANY = st.floats(allow_nan=True, allow_infinity=True)
SMALL = st.floats(-0.4, 0.4)


@given(
    weights=st.tuples(SMALL | ANY, SMALL | ANY),
    z=st.floats(-6, 6) | ANY,
    pvalue=st.floats(0, 1) | ANY,
    rates=st.tuples(st.floats(-0.01, 0.01) | ANY, ANY),
    drawdown=st.floats(0, 1) | ANY,
    equity=st.floats(0, 20_000) | ANY,
)
def test_any_number_gives_a_safe_answer(weights, z, pvalue, rates, drawdown, equity):
    """Whatever floats arrive, the answer is finite, and not flat only where every input is in order."""
    account = replace(ACCOUNT, drawdown=drawdown, equity=equity)
    pair = target(weights=weights, z=z, pvalue=pvalue, funding_rates=rates)
    allowed = check([pair], replace(FINE, account=account), LIMITS).weights["AAA~BBB"]
    assert all(map(math.isfinite, allowed))
    if allowed != (0.0, 0.0):
        assert allowed == weights
        assert abs(z) <= 5.0 and pvalue <= 0.5 and max(map(abs, rates)) <= 0.005
        assert drawdown < 0.25 and equity > 0


class Trading(RuleBasedStateMachine):
    """Five pairs over four symbols, an operator, a governor and a market that does what it likes."""

    NAMES = ("A~B", "A~C", "B~C", "C~D", "D~A")

    def __init__(self):
        super().__init__()
        self.limits = RiskConfig(max_symbol_exposure=0.35, max_total_exposure=0.8, max_leverage=1.2)
        self.situation = FINE
        self.pairs = {name: target(pair=name, symbols=tuple(name.split("~"))) for name in self.NAMES}

    @rule(name=st.sampled_from(NAMES), action=st.floats(-1, 1), beta=st.floats(0.1, 3), drift=st.floats(0.5, 2.0))
    def act(self, name, action, beta, drift):
        """Let the policy ask for an exposure; the pair's equity may have drifted."""
        self.pairs[name] = target(action * drift, beta, pair=name, symbols=tuple(name.split("~")))

    @rule(name=st.sampled_from(NAMES), z=st.floats(-8, 8), pvalue=st.floats(0, 1), rate=st.floats(-0.01, 0.01))
    def learn(self, name, z, pvalue, rate):
        """Let the market move a pair's state."""
        self.pairs[name] = replace(self.pairs[name], z=z, pvalue=pvalue, funding_rates=(rate, 0.0))

    @rule(equity=st.floats(1, 20_000), drawdown=st.floats(0, 1), known=st.booleans())
    def report(self, equity, drawdown, known):
        """Let the execution side report, or fall silent."""
        account = replace(ACCOUNT, equity=equity, drawdown=drawdown) if known else None
        self.situation = replace(self.situation, account=account)

    @rule(
        order=st.sampled_from(["run", "pause", "kill", "lost"]),
        cap=st.none() | st.floats(0, 1),
        deny=st.sets(st.sampled_from("ABCD")),
        mode=st.sampled_from(["run", "pause", None]),
    )
    def command(self, order, cap, deny, mode):
        """Let the operator and the governor give orders."""
        orders = control(pause=order == "pause", kill=order == "kill", max_exposure=cap, deny=tuple(sorted(deny)))
        self.situation = replace(self.situation, control=None if order == "lost" else orders, governor_mode=mode)

    @invariant()
    def no_limit_is_broken(self):
        """Hold every limit, told independently of the checks."""
        risk_result = check(self.pairs.values(), self.situation, self.limits)
        orders, account = self.situation.control, self.situation.account
        gross = sum(abs(weight) for legs in risk_result.weights.values() for weight in legs)
        ceiling = min(0.8, orders.max_exposure if orders and orders.max_exposure is not None else 0.8)
        assert gross <= ceiling * (1 + 1e-12)
        if account:
            assert gross * account.start_equity <= 1.2 * account.equity * (1 + 1e-12)
        for symbol in "ABCD":
            parts = [
                abs(weight)
                for name, legs in risk_result.weights.items()
                for leg, weight in zip(name.split("~"), legs, strict=True)
                if leg == symbol
            ]
            assert sum(parts) <= 0.35 * (1 + 1e-12)
            assert not (orders and symbol in orders.deny and any(parts))
        for name, legs in risk_result.weights.items():
            assert sum(map(abs, legs)) <= 1.5 * 0.2
            if any(legs):
                assert legs[0] * self.pairs[name].weights[0] > 0
                assert abs(legs[1] + self.pairs[name].hedge_ratio * legs[0]) <= 0.1 * sum(map(abs, legs)) + 1e-15
        stopped = orders is None or orders.kill or orders.pause or self.situation.governor_mode != "run"
        stopped = stopped or (account is not None and account.drawdown >= 0.25)
        assert not (stopped and gross > 0)


TestTrading = Trading.TestCase

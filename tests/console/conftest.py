"""An agent's folder as its writers leave it, and a console on it."""

import json
import math
import os
import time

import httpx
import pytest

from agent.console.limits import Limits
from agent.console.observer import Observer
from agent.console.server import Place, application, serving
from agent.console.tokens import Gatekeeper, hash_token
from agent.decision.governor_rules import GovernorState, point_of
from agent.demo import setup
from agent.state.sealed_file import write_sealed
from perpfut_lib.artifacts import AgentFolder, Leg, PairReport, Position, write_json
from tests.agent.documents import MINUTE, active_pair, active_pairs, control, governor_order, perf_snapshot, signal

TOKEN = "a-token-of-this-test"  # its hash is all that the console gets


class FakeAgent:
    """Writes what a healthy agent and executor would have written by now."""

    def __init__(self, path):
        self.folder = AgentFolder(path)
        self.path = path
        self.healthy()

    def healthy(self, now=None):
        self.now = now or time.time_ns() // 1_000_000
        bar = self.now // MINUTE * MINUTE
        start = bar - 600 * MINUTE
        write_json(self.folder.heartbeat, {"time": self.now, "bar_close": bar, "doing": "waiting"})
        self.folder.write(control(created_at=self.now - MINUTE, run_id="operator"))
        self.folder.write(governor_order(created_at=self.now))
        self.folder.write(
            active_pairs(
                created_at=start,
                bar_close=start,
                valid_from=start,
                valid_until=bar + 840 * MINUTE,
                pairs=(active_pair(alpha=math.log(100.0) - 0.8 * math.log(20.0)),),
            )
        )
        self.folder.write(signal(created_at=bar + 900, bar_close=bar, expires_at=bar + 3 * MINUTE))
        self.report()

    def report(self, **changes):
        held = Position(symbol="AAA", quantity=10.0, mark=100.0, target=10.0, liquidation_price=None)
        short = Position(symbol="BBB", quantity=-40.0, mark=20.0, target=-40.0, liquidation_price=None)
        values = {"created_at": self.now, "positions": (held, short), "equity": 10_003.5}
        self.folder.write(perf_snapshot(**(values | changes)))

    def reports(self, count):
        """Leave the governor's memory of so many snapshots of an account that rises and falls."""
        snapshots = [
            perf_snapshot(
                created_at=self.now - (count - number) * MINUTE,
                equity=10_000.0 + 4 * number + 30 * math.sin(number / 5),
                slippage_bps=0.4 + 0.2 * math.cos(number / 3),
            )
            for number in range(count)
        ]
        state = GovernorState(points=tuple(map(point_of, snapshots)))
        write_sealed(self.folder.governor_memory, {"state": state.model_dump(mode="json")})

    def history(self, count):
        """Log so many signals of one pair whose spread swings."""
        bar = self.now // MINUTE * MINUTE
        self.folder.decisions.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.decisions.open("w") as stream:
            for seq in range(1, count + 1):
                close = bar - (count - seq) * MINUTE
                weight = ((seq // 30) % 3 - 1) * 0.1
                y, x = 100.0 * (1 + 0.003 * ((seq % 60) - 30) / 30), 20.0
                reasons = ["data_stale"] if seq % 500 == 0 else []
                legs = [
                    Leg(pair="AAA~BBB", symbol="AAA", weight=weight, price=y),
                    Leg(pair="AAA~BBB", symbol="BBB", weight=-0.8 * weight, price=x),
                ]
                report = PairReport(pair="AAA~BBB", action=weight * 5, status="active", reasons=())
                made = signal(
                    seq=seq,
                    created_at=close + 800,
                    bar_close=close,
                    expires_at=close + 3 * MINUTE,
                    legs=tuple(legs),
                    pairs=(report,),
                )
                stream.write(json.dumps(made.model_dump(mode="json") | {"reasons": reasons}) + "\n")


@pytest.fixture(scope="session")
def loop_world(request):
    """Return what a simulated closed loop begins from: settings, run and first decision.

    Pictures are of the demonstration, whose rule trades as a person would expect; tests take the small world.
    """
    if os.environ.get("PERPFUT_SCREENSHOTS"):
        return setup.prepared()
    small = request.getfixturevalue("small_world")
    return small.profile, small.run, small.windows()[0][0]


@pytest.fixture
def agent(tmp_path):
    return FakeAgent(tmp_path / "smoke" / "agent")


def observer(agent, clock=None):
    return Observer("smoke", agent.folder, Limits(disk_bytes=0), clock or (lambda: agent.now))


class Hand:
    """A clock that a test turns."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def console(agent, hand):
    """Return a client of a running console whose token is known."""
    gate = Gatekeeper(hash_token(TOKEN, b"0" * 16), hand)
    with (
        serving(application(observer(agent), gate), Place(port=0)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def sign_in(client, name="anna"):
    """Sign in and return the headers that orders need."""
    origin = {"Origin": str(client.base_url).rstrip("/")}
    answer = client.post("/api/session", json={"token": TOKEN, "name": name}, headers=origin)
    assert answer.status_code == 200, answer.text
    return origin | {"X-Perpfut-Csrf": client.get("/api/session").json()["csrf"]}

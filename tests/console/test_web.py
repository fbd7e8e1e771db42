"""The console over HTTP: pages for everybody on loopback, orders for the token alone."""

import json
import socket
import subprocess
import sys

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.console import tokens
from agent.console.metrics import exposition
from agent.console.server import Place, application, serving
from agent.console.tokens import Gatekeeper
from perpfut_lib.artifacts import Control
from perpfut_lib.errors import ConfigError
from tests.agent.documents import control
from tests.console.conftest import TOKEN, observer, sign_in

PAUSE = {"order": "pause", "max_exposure": 0.5, "deny": ["AAA"], "note": "a look", "seen": 7}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/metrics",
        *(f"/api/{n}" for n in ("overview", "pairs", "signals", "performance", "log", "session", "runs")),
    ],
)
def test_everything_is_answered_with_strict_headers(console, agent, path):
    """Every page answers, forbids foreign content and framing, and shows neither token nor hash."""
    agent.history(50)
    answer = console.get(path)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert TOKEN not in answer.text and "scrypt" not in answer.text


def test_orders_are_written_with_who_and_when(console, agent):
    """The file is what the command would have written, under the person's name and the next number."""
    answer = console.post("/api/orders", json=PAUSE, headers=sign_in(console))
    assert answer.status_code == 200, answer.text
    written = agent.folder.read(Control)
    assert (written.pause, written.kill, written.max_exposure, written.deny) == (True, False, 0.5, ("AAA",))
    assert written.run_id == "console:anna" and written.seq > 7
    assert console.get("/api/overview").json()["orders"]["by"] == "console:anna"


def test_forged_requests_change_nothing(console, agent):
    """Without session, CSRF token, origin or host name no order is written."""
    before = (agent.path / "control.json").read_bytes()
    headers = sign_in(console)
    origin = {"Origin": headers["Origin"]}
    attempts = [
        (httpx.post(f"{console.base_url}/api/orders", json=PAUSE, headers=headers), 401),
        (console.post("/api/orders", json=PAUSE, headers=origin), 403),
        (console.post("/api/orders", json=PAUSE, headers=headers | {"Origin": "http://evil.example"}), 403),
        (console.post("/api/orders", json=PAUSE, headers={"X-Perpfut-Csrf": headers["X-Perpfut-Csrf"]}), 403),
        (console.post("/api/orders", json=PAUSE, headers=headers | {"Sec-Fetch-Site": "cross-site"}), 403),
        (console.post("/api/orders", json=PAUSE, headers=headers | {"Host": "evil.example:80"}), 421),
        (console.get("/api/overview", headers={"Host": "evil.example"}), 421),
        (console.post("/api/orders", json=PAUSE | {"order": "buy"}, headers=headers), 422),
        (console.post("/api/orders", json=PAUSE | {"max_exposure": -1}, headers=headers), 422),
        (console.post("/api/orders", content=b"x" * 100_000, headers=headers), 413),
    ]
    assert [answer.status_code for answer, _ in attempts] == [status for _, status in attempts]
    assert (agent.path / "control.json").read_bytes() == before


def test_a_session_ends(console, hand):
    """After its time, and after signing out, orders are refused."""
    headers = sign_in(console)
    hand.now += tokens.SESSION_S
    assert console.post("/api/orders", json=PAUSE, headers=headers).status_code == 401
    headers = sign_in(console)
    console.request("DELETE", "/api/session", headers={"Origin": headers["Origin"]})
    assert console.post("/api/orders", json=PAUSE, headers=headers).status_code == 401


def test_guesses_are_limited(console, hand):
    """The sixth try within a minute is refused even with the right token; a minute later it is not."""
    origin = {"Origin": str(console.base_url).rstrip("/")}
    for _ in range(tokens.GUESSES):
        wrong = console.post("/api/session", json={"token": "wrong", "name": "eve"}, headers=origin)
        assert wrong.status_code == 401
    right = {"token": TOKEN, "name": "anna"}
    assert console.post("/api/session", json=right, headers=origin).status_code == 429
    hand.now += tokens.GUESSES_S
    assert console.post("/api/session", json=right, headers=origin).status_code == 200


def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(console):
    """HttpOnly and SameSite=Strict, and it ends by itself."""
    origin = {"Origin": str(console.base_url).rstrip("/")}
    cookie = console.post("/api/session", json={"token": TOKEN, "name": "anna"}, headers=origin).headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Max-Age=900" in cookie


def test_two_consoles_do_not_overwrite_each_other(console, agent):
    """Orders that were decided on by what is no longer there are refused; a kill is not."""
    headers = sign_in(console)
    assert console.post("/api/orders", json=PAUSE, headers=headers).status_code == 200
    late = console.post("/api/orders", json=PAUSE | {"order": "run"}, headers=headers)
    assert late.status_code == 409 and "console:anna" in late.json()["error"]
    assert agent.folder.read(Control).pause
    assert console.post("/api/orders", json=PAUSE | {"order": "kill"}, headers=headers).status_code == 200
    assert agent.folder.read(Control).kill


def test_without_a_token_it_is_read_only(agent):
    """Nobody signs in where no hash was given."""
    with serving(application(observer(agent), Gatekeeper(None)), Place(port=0)) as url:
        origin = {"Origin": url}
        assert httpx.get(f"{url}/api/session").json()["possible"] is False
        assert httpx.post(f"{url}/api/session", json={"token": "", "name": "a"}, headers=origin).status_code == 401


def test_a_new_token_fits_its_hash_and_a_bad_hash_is_named(monkeypatch):
    """What `perpfut console token` makes is accepted; a hash that is none stops the start."""
    token, kept = tokens.new_token()
    monkeypatch.setenv(tokens.HASH_VARIABLE, kept)
    gate = Gatekeeper(tokens.kept_hash())
    assert gate.sign_in(token, "anna") and not gate.sign_in(token + "x", "anna") and not gate.sign_in(token, "<b>")
    monkeypatch.setenv(tokens.HASH_VARIABLE, token)
    with pytest.raises(ConfigError, match="perpfut console token"):
        tokens.kept_hash()


def test_metrics_say_what_the_files_say(console, agent):
    """The format is Prometheus's own parser's, the values are the documents', and what is unknown is left out."""
    agent.folder.write(control(pause=True, created_at=agent.now))
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(console.get("/metrics").text)
        for sample in family.samples
    }
    assert found[("perpfut_equity",)] == 10_003.5
    assert found[("perpfut_pnl", "fees")] == -1.0
    assert found[("perpfut_position_notional", "BBB", "held")] == -800.0
    assert found[("perpfut_fault", "notice", "paused")] == 1.0
    (agent.path / "perf_snapshot.json").unlink()
    later = observer(agent)
    assert b"perpfut_equity" not in exposition(later)


def test_live_updates_follow_the_files(console, agent):
    """A page that is open learns of new orders without asking again."""
    with console.stream("GET", "/events") as stream:
        pages = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
        assert next(pages)["orders"]["order"] == "run"
        agent.folder.write(control(seq=8, pause=True, created_at=agent.now))
        assert any(page["orders"]["order"] == "pause" for page, _ in zip(pages, range(30), strict=False))


def test_secrets_in_a_log_are_blotted_out(console, agent):
    """A key that an older version logged does not reach the page, and lines that are not JSON are skipped."""
    agent.folder.log().parent.mkdir(parents=True, exist_ok=True)
    line = {"time": "2026-01-01T00:00:00+00:00", "level": "ERROR", "message": "api_key=abcdef123456 refused"}
    agent.folder.log().write_text("torn\n" + json.dumps(line) + "\n" + json.dumps(line | {"level": "INFO"}) + "\n")
    rows = console.get("/api/log", params={"level": "ERROR", "text": "refused"}).json()["rows"]
    assert [row["message"] for row in rows] == ["api_key=*** refused"]


def test_a_taken_port_is_named(agent):
    """Two consoles on one port: the second says which and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = Place(port=taken.getsockname()[1])
        with pytest.raises(ConfigError, match="--port"), serving(application(observer(agent), Gatekeeper(None)), place):
            pass


def test_the_account_over_time_begins_with_the_governors_window(console, agent):
    """What the governor remembers comes before what the console saw itself; new reports are added."""
    agent.reports(60)
    assert len(console.get("/api/performance").json()["equity"]) == 61
    watching = observer(agent)
    watching.look()
    agent.report(created_at=agent.now + 1, equity=9_999.0)
    watching.look(anew=True)
    found = watching.performance()
    assert found["equity"][-1] == 9_999.0 and len(found["time"]) == 62
    assert found["fees"][0] is None and found["fees"][-1] == 1.0


def test_the_console_starts_without_the_heavy_libraries():
    """A page at three in the morning waits for no compiler: what reads tables is loaded when a table is read."""
    asked = "import sys, agent.console.server as _; print(sorted({'numba', 'pandas', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

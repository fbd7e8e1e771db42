"""The console in a real browser on a running closed loop: agent, executor and exchange, with faults injected."""

import http.server
import json
import os
import threading
from contextlib import ExitStack

import pytest

from agent.console.server import Place, application, serving
from agent.console.tokens import SESSION_S, Gatekeeper, hash_token
from agent.testing.alarm_drill import DRILLS, watched
from agent.testing.browser import Browser, executable
from agent.testing.simulated_executor import scratch_space
from agent.testing.simulated_loop import simulated_loop
from perpfut_lib.artifacts import Control
from tests.console.conftest import TOKEN
from tests.console.pages import PAGES, SERIOUS, axe, fill, keep, opened, sign_in, turn

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium on this machine: make browser installs it")
BARS = 60 if os.environ.get("PERPFUT_SCREENSHOTS") else 4
ANSWERS = "[...document.querySelectorAll('#answers dd')].map(each => each.textContent)"


@pytest.fixture(scope="module")
def browser():
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture
def scene(loop_world):
    """Return a loop that holds positions, with a watchdog beside it."""
    profile, run, start = loop_world
    with scratch_space() as scratch, simulated_loop(profile, run, scratch / "demo" / "agent", start) as loop:
        found = watched(loop, profile)
        loop.bars(BARS)
        yield found


@pytest.fixture
def gate(hand):
    return Gatekeeper(hash_token(TOKEN, b"0" * 16), hand)


@pytest.fixture
def url(scene, gate):
    with serving(application(scene.observer, gate, book="https://book.example"), Place(port=0)) as address:
        yield address


def _says(browser, place, text):
    browser.wait(f"document.getElementById('{place}').textContent.includes({json.dumps(text)})")


def _live(browser, url, scene, **look):
    opened(browser, url, **look)
    assert scene.loop.folder.read(Control).run_id == "operator"


@pytest.mark.parametrize(
    ("look", "width", "dark"), [("desk", 1200, False), ("dark", 1200, True), ("phone", 400, False)]
)
def test_every_page_of_the_running_loop(browser, url, scene, look, width, dark):
    """No complaint, no serious axe finding, nothing wider than the window, and charts where there are curves."""
    _live(browser, url, scene, width=width, dark=dark)
    browser.ask(axe() + ";0")
    for page in PAGES:
        turn(browser, page)
        if page in ("pairs", "signals", "performance"):
            browser.wait(f"document.querySelector('#page-{page} canvas')")
        browser.settle()
        keep(browser, f"{page}-{look}")
        assert browser.ask(SERIOUS) == [], page
        assert browser.ask("document.documentElement.scrollWidth - window.innerWidth") <= 0, page
    assert browser.complaints == []


def test_the_page_follows_the_loop_without_a_reload(browser, url, scene):
    """A new bar's signal and the executor's new report appear by themselves."""
    _live(browser, url, scene)
    assert browser.ask(ANSWERS)[0] == "Yes, ticking" and "Holds" in browser.ask(ANSWERS)[1]
    before = scene.observer.overview()["signal"]["seq"]
    scene.loop.bars(1)
    _says(browser, "signal", f"Number{before + 1}")


def test_stale_data(browser, url, scene):
    """Candles stop: the agent goes flat by its rules, the page says why, and the executor has closed."""
    _live(browser, url, scene)
    DRILLS["candles stop"].inject(scene)
    scene.loop.bars(6)
    _says(browser, "faults", "Bars have been missing")
    browser.wait(f"{ANSWERS}[1] === 'Flat'")
    turn(browser, "signals")
    _says(browser, "codes", "data_stale")


def test_a_dead_agent(browser, url, scene):
    """The agent is gone: the page says so, and links what to do; the executor lets the signal run out and closes."""
    _live(browser, url, scene)
    DRILLS["agent dead"].inject(scene)
    scene.loop.run(100)
    browser.wait(f"{ANSWERS}[0] === 'Not running'")
    link = browser.ask("document.querySelector('#faults a').href")
    assert link == "https://book.example/runbook.html#after-a-crash"
    keep(browser, "fault-desk")
    scene.loop.run(200)
    browser.wait(f"{ANSWERS}[1] === 'Flat'")
    _says(browser, "faults", "The last signal expired")


def test_trades_of_others_are_told(browser, url, scene):
    """Somebody trades on the account by hand: ledger and exchange differ, and the page says in what."""
    _live(browser, url, scene)
    DRILLS["traded by hand"].inject(scene)
    scene.loop.run(30)
    _says(browser, "faults", "The exchange differs from the ledger")
    _says(browser, "health", "differ")


def test_kill_and_run_close_and_open_the_real_executors_positions(browser, url, scene):
    """A kill from the page closes everything within seconds; a run from the page lets the agent trade again."""
    _live(browser, url, scene, page="orders")
    sign_in(browser)
    for order, answer in (("kill", "Flat"), ("run", "Holds")):
        browser.ask(f"document.querySelector('[data-order={order}]').click()")
        browser.wait("document.getElementById('confirm').open")
        browser.ask("document.getElementById('yes').click()")
        _says(browser, "answer", f", {order}, by console:anna.")
        scene.loop.bars(2) if order == "run" else scene.loop.run(30)
        browser.wait(f"{ANSWERS}[1].startsWith('{answer}')")
    assert scene.loop.folder.read(Control).run_id == "console:anna"


def test_a_forged_request_changes_nothing(browser, url, scene, tmp_path):
    """A page of another origin, opened by a person who is signed in, can neither post an order nor read an answer."""
    _live(browser, url, scene, page="orders")
    sign_in(browser)
    before = scene.loop.folder.document(Control).read_bytes()
    with _elsewhere(tmp_path) as foreign:
        browser.open(foreign)
        attempt = "fetch('{}', {{method: 'POST', credentials: 'include', {}}}).then(told => told.type, () => 'refused')"
        order = json.dumps(json.dumps({"order": "kill", "max_exposure": None, "deny": [], "seen": None}))
        plain = attempt.format(f"{url}/api/orders", f"mode: 'no-cors', body: {order}")
        asked = attempt.format(f"{url}/api/orders", f"headers: {{'X-Perpfut-Csrf': 'x'}}, body: {order}")
        assert browser.ask(plain) in ("opaque", "refused") and browser.ask(asked) == "refused"
        read = f"fetch('{url}/api/session', {{credentials: 'include'}}).then(() => 'read', () => 'refused')"
        assert browser.ask(read) == "refused"
        frame = "document.body.append(Object.assign(document.createElement('iframe'), {src: '" + url + "'}))"
        browser.ask(frame)
        browser.wait(
            "performance.getEntriesByType('resource').length || document.querySelector('iframe').contentWindow"
        )
    assert scene.loop.folder.document(Control).read_bytes() == before


class _elsewhere:
    """A site of another origin that a person visits."""

    def __init__(self, folder):
        (folder / "index.html").write_text("<!doctype html><title>elsewhere</title><body></body>")
        handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), lambda *given: handler(*given, directory=str(folder))
        )

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/index.html"

    def __exit__(self, *_error):
        self._server.shutdown()
        self._server.server_close()


def test_an_expired_session(browser, url, scene, hand):
    """An order that is confirmed after the session's end is not written, and the page asks to sign in again."""
    _live(browser, url, scene, page="orders")
    sign_in(browser)
    browser.ask("document.querySelector('[data-order=pause]').click()")
    browser.wait("document.getElementById('confirm').open")
    hand.now += SESSION_S
    browser.ask("document.getElementById('yes').click()")
    _says(browser, "answer", "Not written. sign in first")
    browser.wait("document.getElementById('order').hidden && !document.getElementById('login').hidden")
    assert not scene.loop.folder.read(Control).pause


def test_two_consoles_at_once(browser, url, scene, gate):
    """What one orders the other shows; an order that was decided on before is refused, and says by whom."""
    other = application(scene.observer, gate)
    with ExitStack() as stack:
        second = stack.enter_context(serving(other, Place(port=0)))
        beside = Browser()
        stack.callback(beside.close)
        for page, address, name in ((browser, url, "anna"), (beside, second, "ben")):
            opened(page, address, page="orders")
            sign_in(page, name)
        beside.ask("document.querySelector('[data-order=run]').click()")
        beside.wait("document.getElementById('confirm').open")
        browser.ask("document.querySelector('[data-order=pause]').click()")
        browser.wait("document.getElementById('confirm').open")
        browser.ask("document.getElementById('yes').click()")
        _says(beside, "given", "console:anna")
        beside.ask("document.getElementById('yes').click()")
        _says(beside, "answer", "by console:anna")
    assert scene.loop.folder.read(Control).pause


def test_by_keyboard_alone(browser, url, scene):
    """Tab reaches the skip link and every page; Enter opens it; Escape leaves a confirmation without an order."""
    _live(browser, url, scene)
    browser.ask("document.activeElement.blur()")
    reached = []
    for _ in range(1 + len(PAGES)):
        browser.press("Tab")
        reached.append(browser.ask("document.activeElement.textContent"))
        shown = browser.ask("getComputedStyle(document.activeElement).outlineStyle")
        assert shown != "none", reached[-1]
    assert reached == ["Skip to the content", *(page.capitalize() for page in PAGES)]
    browser.ask("document.querySelector('nav a[href=\"#orders\"]').focus()")
    browser.press("Enter", "\r")
    browser.wait("!document.getElementById('page-orders').hidden")
    sign_in(browser)
    browser.ask("document.querySelector('[data-order=kill]').focus()")
    browser.press("Enter", "\r")
    browser.wait("document.getElementById('confirm').open")
    keep(browser, "confirm-desk")
    browser.press("Escape")
    browser.wait("!document.getElementById('confirm').open")
    assert not scene.loop.folder.read(Control).kill


def test_the_test_button_reaches_a_receiver(browser, url, monkeypatch, scene):
    """The button sends by the addresses of the console's environment; without any it says what is missing."""
    pytest.importorskip("apprise", reason="the extra `notify` is not installed")
    got = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments):
            """Say nothing."""

    _live(browser, url, scene, page="orders")
    sign_in(browser)
    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PERPFUT_NOTIFY_URLS", f"json://127.0.0.1:{server.server_port}/hook")
        browser.ask("document.getElementById('trial').click()")
        _says(browser, "answer", "taken by every receiver")
        server.shutdown()
    assert len(got) == 1 and got[0]["title"].endswith("test message")
    browser.ask("document.getElementById('trial').click()")
    _says(browser, "answer", "one test message in 10 s")


def test_an_order_needs_a_number_for_a_cap(browser, url, scene):
    """What is no number is named before anything is asked."""
    _live(browser, url, scene, page="orders")
    sign_in(browser)
    fill(browser, "order", cap="half")
    browser.ask("document.querySelector('[data-order=run]').click()")
    _says(browser, "answer", "The cap half is not a number.")
    assert browser.ask("document.getElementById('confirm').open") is False

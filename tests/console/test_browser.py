"""The page in a real browser: it draws, follows, reports a lost console, takes orders, and everybody can use it."""

import os
from pathlib import Path

import pytest

from agent.console.server import Place, application, serving
from agent.console.tokens import Gatekeeper, hash_token
from agent.testing.browser import Browser, executable
from perpfut_lib.artifacts import Control, write_json
from tests.agent.documents import control
from tests.console.conftest import TOKEN, observer

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium on this machine: make browser installs it")
AXE = Path(__file__).parents[1] / "book" / "axe" / "axe.min.js"
SERIOUS = (  # rows of a table are alike: the first five stand for all
    "axe.run({exclude: [['tbody tr:nth-child(n+6)']]}, {resultTypes: ['violations'], "
    "runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(found => found.violations"
    ".filter(each => ['serious', 'critical'].includes(each.impact)).map(each => each.id + ': ' + each.nodes[0].html))"
)
PAGES = ("overview", "pairs", "signals", "performance", "log", "orders", "runs")
PICTURES = os.environ.get("PERPFUT_SCREENSHOTS")


@pytest.fixture(scope="module")
def browser():
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture
def url(agent):
    agent.history(10_000)
    agent.reports(60)
    gate = Gatekeeper(hash_token(TOKEN, b"0" * 16))
    with serving(application(observer(agent), gate), Place(port=0)) as address:
        yield address


def _open(browser, url, page="overview", width=1200, dark=False):
    browser.open(f"{url}/healthz", width)  # the last test's page complains of its console's end: not in this one
    browser.open(f"{url}/#{page}", width, dark=dark)
    browser.wait("document.getElementById('live').textContent === 'live'")
    browser.wait(f"!document.getElementById('page-{page}').hidden")


def _keep(browser, name):
    if PICTURES:
        browser.screenshot(Path(PICTURES) / f"{name}.png")


def _turn(browser, page):
    browser.ask(f"location.hash = '{page}'")
    browser.wait(f"!document.getElementById('page-{page}').hidden")


@pytest.mark.parametrize(
    ("look", "width", "dark"), [("desk", 1200, False), ("dark", 1200, True), ("phone", 400, False)]
)
def test_every_page_draws_without_a_complaint_and_without_barriers(browser, url, look, width, dark):
    """No error, nothing fetched from elsewhere, no serious axe finding, nothing wider than a 400 px phone."""
    _open(browser, url, width=width, dark=dark)
    browser.ask(AXE.read_text() + ";0")
    for page in PAGES:
        _turn(browser, page)
        if page in ("pairs", "signals", "performance"):
            browser.wait(f"document.querySelector('#page-{page} canvas')")
        browser.settle()
        _keep(browser, f"{page}-{look}")
        assert browser.ask(SERIOUS) == [], page
        assert browser.ask("document.documentElement.scrollWidth - window.innerWidth") <= 0, page
    assert browser.complaints == []


def test_five_answers_stand_on_the_first_page(browser, url):
    """What a newcomer asks is answered in words before any number."""
    _open(browser, url)
    answers = browser.ask("[...document.querySelectorAll('#answers dd')].map(each => each.textContent)")
    assert answers == ["Yes, ticking", "Holds 2 symbols, 18.0 % of equity", "Yes", "+3.50 (+0.04 %)", "Nothing"]


def test_a_dead_agent_and_a_dead_console_are_shown_without_a_reload(browser, agent):
    """The heartbeat grows old, and the page says so by itself; then the console goes, and the page says that."""
    gate = Gatekeeper(None)
    with serving(application(observer(agent), gate), Place(port=0)) as address:
        _open(browser, address)
        write_json(agent.folder.heartbeat, {"time": agent.now - 200_000, "bar_close": 0, "doing": "waiting"})
        browser.wait("document.querySelector('#answers .bad dd')?.textContent === 'Not running'")
        assert "not running" in browser.ask("document.getElementById('faults').textContent")
    browser.wait("document.getElementById('live').classList.contains('lost')")


def test_orders_by_keyboard_with_a_confirmation(browser, url, agent):
    """Sign in, pause: a dialogue says what will happen, Cancel changes nothing, the button writes the file."""
    _open(browser, url, "orders")
    browser.wait("!document.getElementById('login').hidden")
    _fill(browser, "login", name="anna", token=TOKEN)
    browser.ask("document.querySelector('#login button').click()")
    browser.wait("!document.getElementById('order').hidden")
    _fill(browser, "order", cap="0.5", deny="ccc")
    browser.ask("document.querySelector('[data-order=kill]').click()")
    browser.wait("document.getElementById('confirm').open")
    assert "closes 2 positions" in browser.ask("document.getElementById('consequence').textContent")
    assert browser.ask("document.activeElement.id") == "no"
    _keep(browser, "confirm")
    browser.ask("document.getElementById('no').click()")
    assert not agent.folder.read(Control).kill
    browser.ask("document.querySelector('[data-order=pause]').click()")
    browser.wait("document.getElementById('confirm').open")
    browser.ask("document.getElementById('yes').click()")
    browser.wait("document.getElementById('answer').textContent.startsWith('Written')")
    written = agent.folder.read(Control)
    assert (written.pause, written.max_exposure, written.deny, written.run_id) == (True, 0.5, ("CCC",), "console:anna")
    browser.wait("document.getElementById('given').textContent.includes('console:anna')")


def test_markup_in_a_note_stays_text(browser, url, agent):
    """Whoever can write a note cannot run a script in the page."""
    agent.folder.write(control(seq=8, created_at=agent.now, note="<img src=x onerror=document.title='owned'>"))
    _open(browser, url)
    browser.wait("document.getElementById('standing').textContent.includes('<img src=x')")
    assert "owned" not in browser.ask("document.title")


def test_ten_thousand_signals_do_not_slow_the_page(browser, url):
    """The page holds a page of signals, and older ones when asked."""
    _open(browser, url, "signals")
    browser.wait("document.querySelectorAll('#signals tbody tr').length === 100")
    browser.ask("document.getElementById('older').click()")
    browser.wait("document.querySelectorAll('#signals tbody tr').length === 200")
    assert browser.ask("performance.getEntriesByType('paint').length") > 0


def _fill(browser, form, **values):
    for name, value in values.items():
        browser.ask(f"document.getElementById('{form}').elements['{name}'].value = '{value}'")


def test_the_clock_of_the_page_is_the_viewers_with_utc_beside_it(browser, url):
    """Times read in the viewer's words and say UTC."""
    _open(browser, url)
    browser.wait("/UTC/.test(document.getElementById('signal').textContent)")

"""The page in a real browser: it draws, follows, reports a lost console, takes orders, and everybody can use it."""

import numpy as np
import pandas as pd
import pytest

from agent.console.server import Place, application, serving
from agent.console.tokens import Gatekeeper, hash_token
from agent.testing.browser import Browser, executable
from perpfut_lib.artifacts import Control, Run, write_json
from perpfut_lib.progress import begun
from tests.agent.documents import control
from tests.console.conftest import TOKEN, observer
from tests.console.pages import fill, opened, sign_in

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium on this machine: make browser installs it")


@pytest.fixture(scope="module")
def browser():
    found = Browser()
    yield found
    found.close()


@pytest.fixture
def url(agent):
    agent.history(10_000)
    agent.reports(60)
    gate = Gatekeeper(hash_token(TOKEN, b"0" * 16))
    with serving(application(observer(agent), gate), Place(port=0)) as address:
        yield address


def test_five_answers_stand_on_the_first_page(browser, url):
    """What a newcomer asks is answered in words before any number."""
    opened(browser, url)
    answers = browser.ask("[...document.querySelectorAll('#answers dd')].map(each => each.textContent)")
    assert answers == ["Yes, ticking", "Holds 2 symbols, 18.0 % of equity", "Yes", "+3.50 (+0.04 %)", "Nothing"]


def test_a_dead_agent_and_a_dead_console_are_shown_without_a_reload(browser, agent):
    """The heartbeat grows old, and the page says so by itself; then the console goes, and the page says that."""
    gate = Gatekeeper(None)
    with serving(application(observer(agent), gate), Place(port=0)) as address:
        opened(browser, address)
        write_json(agent.folder.heartbeat, {"time": agent.now - 200_000, "bar_close": 0, "doing": "waiting"})
        browser.wait("document.querySelector('#answers .bad dd')?.textContent === 'Not running'")
        assert "not running" in browser.ask("document.getElementById('faults').textContent")
    browser.wait("document.getElementById('live').classList.contains('lost')")


def test_orders_by_keyboard_with_a_confirmation(browser, url, agent):
    """Sign in, pause: a dialogue says what will happen, Cancel changes nothing, the button writes the file."""
    opened(browser, url, "orders")
    browser.wait("!document.getElementById('login').hidden")
    fill(browser, "login", name="anna", token=TOKEN)
    browser.ask("document.querySelector('#login button').click()")
    browser.wait("!document.getElementById('order').hidden")
    fill(browser, "order", cap="0.5", deny="ccc")
    browser.ask("document.querySelector('[data-order=kill]').click()")
    browser.wait("document.getElementById('confirm').open")
    assert "closes 2 positions" in browser.ask("document.getElementById('consequence').textContent")
    assert browser.ask("document.activeElement.id") == "no"
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
    opened(browser, url)
    browser.wait("document.getElementById('standing').textContent.includes('<img src=x')")
    assert "owned" not in browser.ask("document.title")


def test_ten_thousand_signals_do_not_fill_the_page(browser, url):
    """The page holds a page of signals, older ones when asked, and never more than 2,000 of them."""
    opened(browser, url, "signals")
    browser.wait("document.querySelectorAll('#signals tbody tr').length === 100")
    for pages in range(2, 22):
        browser.ask("document.getElementById('older').click()")
        rows = min(2_000, 100 * pages)
        browser.wait(f"document.querySelectorAll('#signals tbody tr').length === {rows}")
    assert browser.ask("performance.memory.usedJSHeapSize / 2 ** 20") < 64


def test_a_young_agent_has_no_older_signals_and_no_exposure_of_ten_thousand_per_cent(browser, agent):
    """A page that shows everything offers nothing older, and a level line at zero has an axis of a person's size."""
    agent.history(3)
    with serving(application(observer(agent), Gatekeeper(None)), Place(port=0)) as address:
        browser.open(f"{address}/healthz")
        opened(browser, address, "signals")
        browser.wait("document.querySelectorAll('#signals tbody tr').length === 3")
        assert browser.ask("document.getElementById('older').hidden")
        scale = "import('/static/charts.js').then(({range}) => [range(true)({}, 0, 0), range(false)({}, 5, 5)])"
        drawn = browser.ask(scale)
        numbers = "import('/static/dom.js').then(({number, percent}) => [number(-0.001), percent(-1e-7), number(-3.2)])"
        assert browser.ask(numbers) == ["0.00", "0.00 %", "-3.20"]
        widths = "import('/static/charts.js').then(({room}) => [room({}, ['1 %']), room({}, ['0.00075 %', '0 %'])])"
        assert browser.ask(widths) == [70, 81]
    assert drawn == [[0, 0.01], [4.75, 5.25]]


def test_two_consoles_of_one_machine_keep_their_sessions_apart(browser, agent, url):
    """Browsers send a host's cookies to all of its ports: signing in at one console signs nobody out of another."""
    gate = Gatekeeper(hash_token(TOKEN, b"0" * 16))
    with serving(application(observer(agent), gate), Place(port=0)) as other:
        for address, name in ((url, "anna"), (other, "bert")):
            opened(browser, address, "orders")
            sign_in(browser, name)
        opened(browser, url, "orders")
        browser.wait("!document.getElementById('order').hidden")
        assert browser.ask("fetch('/api/session').then(each => each.json()).then(each => each.name)") == "anna"


def test_runs_are_compared_and_a_training_is_followed(browser, agent, url):
    """Settings that differ, both results, equity over each other; the curve of a training grows while one looks."""
    for number, name in enumerate(("first", "second")):
        run = Run(agent.path.parent.parent / name)
        with run.commit("train", {"code": name}) as folder:
            table = {"fee_bps": 1.44, "seed": 0, "steps": [10, 20], "validation_utility": [0.1, 0.2]}
            folder.write_table("curves.parquet", pd.DataFrame(table))
        with run.commit("evaluate", {"code": name}) as folder:
            head = {"agent": "counterfactual-ppo", "train_fee_bps": 1.44, "test_fee_bps": 1.44, "seed": 0}
            folder.write_table("metrics.parquet", pd.DataFrame([head | {"return": 0.01, "sharpe": 1.0 + number}]))
            rows = [head | {"time": 60_000 * each, "equity": 1 + each / 100} for each in range(20)]
            folder.write_table("curves.parquet", pd.DataFrame(rows))
        write_json(run.settings, {"name": name, "train": {"total_steps": 1_000 * (number + 1)}})
    opened(browser, url, "runs")
    browser.wait("document.querySelectorAll('#runs tbody tr').length === 2")
    browser.ask("document.querySelector('#pick button').click()")
    browser.wait("document.getElementById('compared').textContent.includes('train.total_steps10002000')")
    labels = "[...document.querySelectorAll('#curves .u-label')].map(each => each.textContent)"
    browser.wait("document.querySelector('#curves canvas')")
    assert browser.ask(labels) == ["first at 1.44 bps", "second at 1.44 bps"]
    assert browser.ask("document.getElementById('learner').value") == "second"
    scratch = Run(agent.path.parent.parent / "first").scratch("train")
    scratch.mkdir()
    np.array([500], np.int64).tofile(scratch / "steps")
    begun(scratch / "steps").touch()
    write_json(scratch / "fee-1.44_seed-0.curve.json", {"steps": [100, 200, 300], "utility": [0.1, 0.3, 0.5]})
    opened(browser, url, "runs")
    browser.wait("document.getElementById('learned').textContent.startsWith('In training: 50 %')")
    assert "steps/s" in browser.ask("document.getElementById('learned').textContent")
    browser.wait("document.querySelector('#learning canvas')")
    assert browser.complaints == []


def test_the_clock_of_the_page_is_the_viewers_with_utc_beside_it(browser, url):
    """Times read in the viewer's words and say UTC."""
    opened(browser, url)
    browser.wait("/UTC/.test(document.getElementById('signal').textContent)")

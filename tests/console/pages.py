"""What the console's browser tests share: open a page, turn to another, sign in, keep a picture."""

import os
from pathlib import Path

from tests.console.conftest import TOKEN

PAGES = ("overview", "pairs", "signals", "performance", "log", "orders", "runs")
SERIOUS = (  # rows of a table are alike: the first five stand for all
    "axe.run({exclude: [['tbody tr:nth-child(n+6)']]}, {resultTypes: ['violations'], "
    "runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(found => found.violations"
    ".filter(each => ['serious', 'critical'].includes(each.impact)).map(each => each.id + ': ' + each.nodes[0].html))"
)
PICTURES = os.environ.get("PERPFUT_SCREENSHOTS")
KEPT = (
    "overview-desk overview-dark overview-phone pairs-desk pairs-phone performance-dark signals-desk orders-phone "
    "fault-desk confirm-desk"
).split()
"""Pictures of the book and the README."""


def axe():
    """Return axe's source."""
    return (Path(__file__).parents[1] / "book" / "axe" / "axe.min.js").read_text()


def opened(browser, url, page="overview", width=1200, dark=False):
    """Open a page of the console and wait until it is live."""
    browser.open(f"{url}/healthz", width)  # the last test's page complains of its console's end: not in this one
    browser.open(f"{url}/#{page}", width, dark=dark)
    browser.wait("document.getElementById('live').textContent === 'live'")
    browser.wait(f"!document.getElementById('page-{page}').hidden")


def turn(browser, page):
    """Turn to another page."""
    browser.ask(f"location.hash = '{page}'")
    browser.wait(f"!document.getElementById('page-{page}').hidden")


def sign_in(browser, name="anna"):
    """Sign in on the page of orders."""
    browser.wait("!document.getElementById('login').hidden")
    fill(browser, "login", name=name, token=TOKEN)
    browser.ask("document.querySelector('#login button').click()")
    browser.wait("!document.getElementById('order').hidden")


def fill(browser, form, **values):
    """Fill in fields of a form."""
    for field, value in values.items():
        browser.ask(f"document.getElementById('{form}').elements['{field}'].value = '{value}'")


def keep(browser, name):
    """Keep a picture of the page, where ``PERPFUT_SCREENSHOTS`` names a folder and the book shows it."""
    if PICTURES and name in KEPT:
        browser.screenshot(Path(PICTURES) / f"{name}.webp")

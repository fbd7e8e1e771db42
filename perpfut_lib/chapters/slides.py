"""Slides of the headline: one page of HTML, a slide for each verdict, made from what is published."""

import re
from collections.abc import Iterator
from html import escape
from typing import Final

from perpfut_lib.report.verdicts import Verdict, verdicts

TITLE: Final = "AI Agents in Perpetual Futures Markets"
QUESTION: Final = "Can an agent learn statistical arbitrage with perpetual futures, and what is it worth after costs?"
STUDY: Final = (
    "Candles of one minute and funding rates of perpetual futures; pairs by rolling tests of cointegration.",
    "An agent chooses the signed exposure to a spread; its reward is quadratic utility after costs.",
    "Judged out of sample at three fees, beside rules that are tuned for the same fee, with intervals.",
    "The same rules, faults included, as the study that it follows; then one correction at a time.",
)
LIMITS: Final = (
    "Few recorded days: an interval says what they can carry, and no more.",
    "Fills are at bar prices; size moves no price.",
    "What shows on a simulated market shows that the method can learn, and nothing about the world.",
    "For research and education only. Not investment advice.",
)
STYLE: Final = """
html { scroll-snap-type: y mandatory; color-scheme: light dark; font: 1.15rem/1.45 system-ui, sans-serif; }
body { margin: 0; background: Canvas; color: CanvasText; }
section { box-sizing: border-box; min-height: 100vh; padding: 6vmin 9vmin; scroll-snap-align: start;
  display: flex; flex-direction: column; justify-content: center; }
h1 { font-size: clamp(1.8rem, 5vw, 3.4rem); line-height: 1.15; margin: 0 0 1rem; }
h2 { font-size: clamp(1.3rem, 3vw, 2.2rem); line-height: 1.2; margin: 0 0 1.2rem; font-weight: 500; }
p.answer { font-size: clamp(1.3rem, 3.2vw, 2.4rem); line-height: 1.25; font-weight: 700; margin: 0 0 1.5rem; }
p.evidence { max-width: 75ch; margin: 0; }
li { margin-bottom: 0.7rem; max-width: 60ch; }
img { max-width: 100%; max-height: 78vh; object-fit: contain; background: white; border-radius: 4px; }
footer { margin-top: 2rem; font-size: 0.9rem; }
@media print { section { break-after: page; min-height: 0; height: 100vh; } }
"""
SCRIPT: Final = """
const slides = [...document.querySelectorAll("section")];
addEventListener("keydown", event => {
  const forward = ["ArrowRight", "ArrowDown", "PageDown", " "].includes(event.key);
  const back = ["ArrowLeft", "ArrowUp", "PageUp"].includes(event.key);
  if (!forward && !back) return;
  event.preventDefault();
  const here = slides.findIndex(each => each.getBoundingClientRect().bottom > innerHeight / 2);
  slides[Math.max(0, Math.min(slides.length - 1, here + (forward ? 1 : -1)))].scrollIntoView();
});
"""


def slides_page() -> str:
    """Return the slides as one page that lies beside the headline's picture; arrow keys turn them."""
    content = "\n".join(f"<section>\n{slide}\n</section>" for slide in _slides())
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{TITLE}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{content}\n</main>\n"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _slides() -> Iterator[str]:
    yield f"<h1>{TITLE}</h1>\n<p>{escape(QUESTION)}</p>\n<footer>Arrow keys turn the slides.</footer>"
    yield f"<h2>The study</h2>\n{_list(STUDY)}"
    yield (
        "<h2>Every policy that is fitted to a fee, charged that fee</h2>\n"
        '<img src="result.png" alt="Test returns after fees with intervals, by fee and policy, '
        'on two recorded periods and on a simulated year">'
    )
    for verdict in verdicts():
        yield _verdict(verdict)
    yield f"<h2>What it does not say</h2>\n{_list(LIMITS)}"


def _verdict(verdict: Verdict) -> str:
    evidence = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(verdict.evidence, quote=False))
    answer = escape(verdict.answer, quote=False)
    return f'<h2>{escape(verdict.question)}</h2>\n<p class="answer">{answer}.</p>\n<p class="evidence">{evidence}</p>'


def _list(lines: tuple[str, ...]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(line)}</li>" for line in lines) + "\n</ul>"

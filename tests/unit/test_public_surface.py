"""The public surface: what the book's API reference lists exists, and says what it takes, gives and refuses."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).resolve().parents[2] / "book" / "api").glob("*.md"))
DIRECTIVE = re.compile(r"^\.\. (currentmodule|automodule|autofunction|autoclass):: (\S+)", re.M)


def _entries():
    """Yield (page, module, name) of every function and class in the reference."""
    for page in PAGES:
        module = ""
        for kind, name in DIRECTIVE.findall(page.read_text()):
            if kind in ("currentmodule", "automodule"):
                module = name
            else:
                yield page.stem, module, name


ENTRIES = list(_entries())


@pytest.mark.parametrize(("page", "module", "name"), ENTRIES, ids=lambda value: value)
def test_an_entry_documents_each_of_its_arguments(page, module, name):
    """It can be imported from where the reference says; of two arguments or more each is named in the docstring."""
    thing = getattr(importlib.import_module(module), name)
    text = inspect.getdoc(thing)
    assert text and not text.startswith(f"{name}(")  # a docstring of its own, not the one that NamedTuple makes
    if inspect.isfunction(thing):
        arguments = list(inspect.signature(thing).parameters)
        missing = [each for each in arguments if not re.search(rf"\b{each}\b", text)]
        assert len(arguments) < 2 or not missing


def test_names_that_were_promised_are_there():
    """The names of the architecture's public list, and those of the page that lists them."""
    listed = {name for _, _, name in ENTRIES}
    promised = set("engle_granger scan filter_hedge_ratio FeatureSpec init_state step compute settle sharpe".split())
    promised |= set("PairTradingEnv PairTradingVecEnv max_drawdown bootstrap_ci deflated_sharpe pbo_cscv".split())
    promised |= set("ActivePairs Signal PerfSnapshot Episodes make_env make_vector_env solve_oracle".split())
    assert promised <= listed
    table = next(page for page in PAGES if page.stem == "index").read_text().partition("## Pages")[2]
    assert {name for name in re.findall(r"`(\w+)`", table) if name[0].islower()} - listed <= {"_bps"}
    assert set(re.findall(r"\]\((\w+)\.md\)", table)) == {page.stem for page in PAGES} - {"index"}

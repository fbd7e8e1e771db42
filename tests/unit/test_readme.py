"""The README stays true: its commands and settings exist, its paths are there, its recipes name what the files hold."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from perpfut_lib.bench.harness import Contest
from perpfut_lib.cli.application import application
from perpfut_lib.config import FeaturesConfig, load_profile
from perpfut_lib.features import FeatureSpec, catalogue

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PLACEHOLDERS = {"NN": "4", "data.source=NAME": "data.source=binance", "section.name=value": "train.seeds=3"}
"""What a reader replaces by a value of his own, and one that he may take."""
MADE = ("book/_build", "artifacts/<profile>", "artifacts/mine", "notebooks/NN_name.ipynb", "perpfut_lib/bench/NAME.py")
"""Paths that commands and recipes make."""


def quoted(text):
    """Return what stands in backquotes, each on one line."""
    return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", text.replace("```", ""))]


LINES = [line.split("  #")[0].strip() for line in TEXT.splitlines() if line.startswith(".venv/bin/")]
COMMANDS = sorted({each for each in [*LINES, *quoted(TEXT)] if re.match(r"(\.venv/bin/)?perpfut \w", each)})
RECIPES = {part[1]: part[0] for part in re.finditer(r"^\*([^*\n]+)\.\*.*?(?=\n\n)", TEXT, re.MULTILINE | re.DOTALL)}


def words_of(line):
    return [PLACEHOLDERS.get(word, word) for word in shlex.split(line)[1:]]


@pytest.mark.parametrize("line", [line for line in COMMANDS if "bench NAME" not in line])
def test_commands_exist_with_their_options(line):
    """Null hypothesis: ``perpfut`` does not know some command or option. Nothing is run but ``--help``."""
    words, command, context = words_of(line), get_command(application()), None
    if "--help" in words:
        assert CliRunner().invoke(application(), words).exit_code == 0
        return
    while words and hasattr(command, "commands"):
        context = command.make_context("perpfut", [], parent=context, resilient_parsing=True)
        _, command, words = command.resolve_command(context, words)
    command.make_context("perpfut", words, parent=context)


@pytest.mark.parametrize("line", [line for line in COMMANDS if "--set" in line])
def test_settings_are_settings(line):
    """Null hypothesis: the profile that a command names refuses one of its settings."""
    words = words_of(line)
    after = dict(pairwise(words))
    overrides = [value for option, value in pairwise(words) if option == "--set"]
    load_profile(after.get("--profile", "default"), overrides)


def test_paths_exist():
    """Null hypothesis: some file or folder that the README names, and that nobody has to make, is not there."""
    tops = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    named = {word for each in quoted(TEXT) for word in each.split() if "/" in word and word.split("/")[0] in tops}
    assert len(named) > 25
    missing = [path for path in named if not path.startswith(MADE) and not any(ROOT.glob(path.rstrip("/")))]
    assert missing == []


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_name_what_their_files_hold(name):
    """Null hypothesis: a recipe quotes a name that is in none of the modules that it names."""
    each = quoted(RECIPES[name])
    modules = [ROOT / path for path in each if path.endswith(".py") and (ROOT / path).is_file()]
    held = {word for module in modules for word in re.findall(r"\w+", module.read_text(encoding="utf-8"))}
    names = {one for one in each if re.fullmatch(r"[A-Za-z_]\w+", one)}
    assert not modules or names <= held


def test_there_are_ten_recipes_and_the_search_sees_them():
    """The tests above are not blind: they find every recipe, and in each something that can be wrong."""
    assert len(RECIPES) == 10
    assert all(quoted(recipe) for recipe in RECIPES.values())


def test_the_feature_of_the_recipe_is_one():
    """The line that the recipe adds is a feature of a quantity that is known, and the list with it is accepted."""
    (line,) = [each for each in quoted(RECIPES["A feature"]) if each.startswith("Feature(")]
    feature = eval(line.rstrip(","), vars(catalogue) | {"leg": "y"})
    spec = catalogue.feature_spec(FeaturesConfig())
    assert feature.name not in {one.name for one in spec.features}
    assert feature in FeatureSpec(spec.name, spec.lookback, spec.indicators, (*spec.features, feature)).features


def test_the_benchmark_of_the_recipe_is_one():
    """What the recipe yields is a row with both sides and their difference."""
    assert "`Contest(...).run()`" in RECIPES["A benchmark"]
    row = Contest("toy", "work", ours=lambda: 1.0, peer=lambda: 1.5, peer_name="peer", error=lambda a, b: b - a).run()
    assert row.peer_name == "peer" and row.max_abs_error == 0.5

"""The model card and the data dictionary say what the artifacts hold."""

import json
import re
from itertools import pairwise

import pandas as pd
import pytest

from perpfut_lib.chapters import data_dictionary, model_card
from perpfut_lib.errors import ChapterError
from perpfut_lib.policies import PolicyCard
from perpfut_lib.report import fee_table


def weights_of(sizes):
    """Return the number of weights and biases of layers of these widths."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))


def test_the_model_card_describes_the_agents_of_the_run(smoke):
    """Each agent has a row with its hash and validation utility; the parameters are those of the layers named."""
    cards = [json.loads(path.read_text()) for path in (smoke.run.path / "train" / "policies").glob("*.json")]
    rows = model_card.model_agents(smoke.profile, smoke.run).splitlines()[2:]
    assert len(rows) == len(cards) == len(smoke.profile.costs.fees_bps) * smoke.profile.train.seeds
    for card in cards:
        row = next(row for row in rows if card["weights_sha256"][:12] in row)
        assert f"{card['training']['validation']['utility']:.1f}" in row
    sees = len(cards[0]["feature_names"]) * cards[0]["lookback"] + 3
    count = weights_of((sees, *cards[0]["hidden"], 1)) + weights_of((sees, *cards[0]["base_hidden"], 2))
    told = model_card.model_details(smoke.profile, smoke.run)
    assert f"{count:,}" in told and f"{sees} numbers" in told


def test_the_model_card_has_the_results_of_the_fee_table(smoke):
    """What the card says of the test span is what chapter 07 says."""
    table, told = fee_table(smoke.run), model_card.model_results(smoke.profile, smoke.run)
    own = table.xs(smoke.profile.train.algorithm, level="agent")
    assert [f"{fee:g} bps" in told for fee in own.index] == [True] * len(own)
    row = next(line for line in told.splitlines() if "return interval" in line)
    assert [interval in row for interval in own["return interval (%)"]] == [True] * len(own)


@pytest.mark.parametrize(
    ("abstains", "uncorrected", "base", "told"),
    [
        (True, True, (8,), "stays flat"),
        (False, True, (8,), "the rule alone"),
        (False, False, (8,), "the rule, corrected"),
        (False, False, (), "the network"),
    ],
)
def test_the_model_card_says_what_was_exported(abstains, uncorrected, base, told):
    """An agent that abstains, or whose corrections were left out, is not described as a network that decides."""
    card = PolicyCard.model_construct(base_hidden=base, training={"abstains": abstains, "uncorrected": uncorrected})
    assert model_card._kept(card).startswith(told)


def test_every_table_of_a_run_is_in_the_dictionary(smoke, study):
    """Each stage's parquet files are listed with their rows and all their columns; the page is part of the book."""
    told = data_dictionary.run_tables(smoke.profile, smoke.run)
    for path in sorted(smoke.run.path.glob("*/*.parquet")):
        row = next(line for line in told.splitlines() if f"`{path.parent.name}/{path.name}`" in line)
        table = pd.read_parquet(path)
        assert f"{len(table):,}" in row
        assert re.findall(r"`([^`]+)` (?:integer|number|text|yes or no)", row) == list(table.columns)
    assert "open_time" in (study.html / "data_dictionary.html").read_text()


def test_each_measure_is_a_column(smoke):
    """The measures that the dictionary explains are columns of the metrics of a run."""
    named = re.findall(r"^\| `(\w+)`", data_dictionary.measure_names(smoke.profile, smoke.run), re.M)
    assert len(named) > 15
    assert set(named) <= set(pd.read_parquet(smoke.run.path / "evaluate" / "metrics.parquet").columns)


def test_input_columns_are_those_of_the_description(smoke, tmp_path, monkeypatch):
    """The dictionary takes them from where they are described, and says so where it does not find them."""
    told = data_dictionary.input_columns(smoke.profile, smoke.run)
    assert all(f"`{name}`" in told for name in ("open_time", "volume", "funding_rate")) and "PriceError" not in told
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("# data/\n")
    monkeypatch.setattr(data_dictionary, "project_root", lambda: tmp_path)
    with pytest.raises(ChapterError, match="without its columns"):
        data_dictionary.input_columns(smoke.profile, smoke.run)

"""Tables about a chapter itself: settings with their meaning, text that stays in its cell."""

import pandas as pd

from perpfut_lib.chapters.tables import markdown_table, settings_table, table_html
from perpfut_lib.config import load_profile
from perpfut_lib.report import NOTHING


def test_settings_say_their_meaning():
    """Each row of a section's table has the name, the value and the documented meaning."""
    text = settings_table(load_profile("default").costs).data
    row = next(line for line in text.splitlines() if "fees_bps" in line)
    assert "0.0, 1.44, 4.5" in row
    assert "basis points" in row


def test_a_file_is_shown_by_its_name_only():
    """Where a file lies on this machine is not shown."""
    profile = load_profile("default", ["data.source=files", "data.files=/some/where/c.parquet", "data.funding=none"])
    text = settings_table(profile.data).data
    assert "c.parquet" in text
    assert "/some/where" not in text


def test_text_stays_in_its_cell():
    """Bars and line ends inside a value can not break the table."""
    text = markdown_table(pd.DataFrame({"a|b": ["one\ntwo | three"]}))
    assert len(text.splitlines()) == 3
    assert "one two \\| three" in text


def test_figures_of_a_column_have_equal_decimals():
    """Proves that 5.2 stands as 5.20 below 4.29, that a gap is a dash, and that tiny figures stay as they are."""
    table = pd.DataFrame({"return": [4.29, 5.2, float("nan")], "tiny": [1e-16, 1.0, 2.5]})
    rows = [line.strip("|").split("|") for line in markdown_table(table).splitlines()[2:]]
    assert [row[0].strip() for row in rows] == ["4.29", "5.20", NOTHING]
    assert [row[1].strip() for row in rows] == ["1e-16", "1.0", "2.5"]


def test_figures_stand_to_the_right_and_words_to_the_left():
    """Numbers, intervals and gaps make a column of figures; one word in it makes it text."""
    table = pd.DataFrame({"r": [4.29, -0.1], "i": ["[1.2, 3.4]", NOTHING], "word": ["none", "1"]})
    assert markdown_table(table).splitlines()[1] == "|------:|-----------:|:-------|"


def test_a_chapter_shows_every_row_every_text_and_no_nan():
    """Proves that neither rows nor words are cut off, as pandas does by itself, and that a gap is a dash.

    Twelve rows stand in the text and the rest is folded, each part with a head.
    """
    shown = table_html(pd.DataFrame({"text": ["many words " * 20] * 100, "figure": [1.5, float("nan")] * 50}))
    assert shown.count("<tr") == 102 and shown.count("many words") == 2000
    assert "NaN" not in shown and shown.count(f"<td>{NOTHING}</td>") == 50


def test_a_long_fraction_is_shortened():
    """A setting of 2/3 is shown with six digits, and one of 1e-05 as it was written."""
    text = settings_table(load_profile("default", ["split.train=0.6666666666666666"]).split).data
    assert "0.666667" in text and "0.66666666" not in text

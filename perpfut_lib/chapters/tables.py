"""How chapters show tables, and tables about a chapter itself: its settings, and where its results come from."""

import base64
from pathlib import Path
from typing import Any, Final

import pandas as pd
from IPython import get_ipython
from IPython.display import Markdown

from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run
from perpfut_lib.config import Profile, Section
from perpfut_lib.report import NOTHING

SHORT_HASH: Final = 12
MOST_ROWS: Final = 12
"""Rows of a table that a page shows; a reader unfolds the others."""
LONGEST_FIGURE: Final = 10  # characters; a longer one is a fraction such as 2/3, and six digits say as much


def settings_table(*sections: Section) -> Markdown:
    """Return the settings of some sections, each with its value and what it means."""
    rows = [
        {"setting": field.alias or name, "value": _shown(value), "meaning": field.description}
        for section in sections
        for (name, field), value in zip(
            type(section).model_fields.items(), section.model_dump(mode="json").values(), strict=True
        )
        if not isinstance(value, dict)
    ]
    return Markdown(markdown_table(pd.DataFrame(rows)))


def stamp(profile: Profile, stage: str) -> Markdown:
    """Return the provenance of a stage: profile, hashes of settings and inputs, code version, packages, run time."""
    manifest = Run.named(profile.name).stage(stage).manifest()
    sections = sorted({section for needed in pipeline.needed(stage) for section in needed.sections})
    rows = {
        "profile": profile.name,
        "stage": stage,
        "settings": profile.sections_hash(sections)[:SHORT_HASH],
        **{f"input {name}": digest[:SHORT_HASH] for name, digest in pipeline.fingerprint(profile).items()},
        "result": manifest.content_hash()[:SHORT_HASH],
        "code": manifest.git_commit[:SHORT_HASH] + ("+" if manifest.git_commit.endswith("+") else ""),
        "made at": manifest.created_at,
        "stage took": f"{manifest.seconds:.1f} s",
        "packages": ", ".join(f"{name} {version}" for name, version in manifest.packages.items()),
    }
    return Markdown(markdown_table(pd.DataFrame({"what": list(rows), "value": list(rows.values())})))


def prose(text: str) -> Markdown:
    """Return generated Markdown for a cell to show."""
    return Markdown(text)


def _shown(value: Any) -> str:
    """Return a value as text, a file by its name only, without its folder on this machine."""
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, float) and len(str(value)) > LONGEST_FIGURE:
        return f"{value:.6g}"
    return "none" if value is None else Path(value).name if "/" in str(value) else str(value)


def table_html(table: pd.DataFrame) -> str:
    """Return a table as HTML: every text in full, a dash where there is no figure, and rows beyond MOST_ROWS folded.

    Below what is folded stands a link to all rows as CSV.
    """
    with pd.option_context("display.max_colwidth", None):
        shown, rest = table.iloc[:MOST_ROWS], table.iloc[MOST_ROWS:]
        first = str(shown.to_html(na_rep=NOTHING))
        if rest.empty:
            return first
        written = base64.b64encode(table.to_csv().encode()).decode()
        link = f'<a download="table.csv" href="data:text/csv;base64,{written}">All {len(table)} rows as CSV</a>'
        return f"{first}\n{_folded(len(rest), rest.to_html(na_rep=NOTHING) + link)}"


def _folded(rows: int, content: str) -> str:
    """Return HTML that a reader unfolds."""
    return f'<details class="rest"><summary>{rows} more rows</summary>\n{content}\n</details>'


def show_tables_whole() -> None:
    """Let the notebook that runs show tables by :func:`table_html`; outside of one nothing happens."""
    shell = get_ipython()
    if shell is not None:
        shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, table_html)


def markdown_table(table: pd.DataFrame) -> str:
    """Return a table as Markdown without its index; figures stand to the right, with equal decimals, gaps as a dash.

    Rows beyond MOST_ROWS are folded.
    """
    cells = table.apply(_decimals).map(_cell).rename(columns=_cell)
    sides = ["right" if _holds_figures(cells[name]) else "left" for name in cells]
    shown, rest = (
        str(part.to_markdown(index=False, disable_numparse=True, colalign=sides))
        for part in (cells.iloc[:MOST_ROWS], cells.iloc[MOST_ROWS:])
    )
    if len(cells) <= MOST_ROWS:
        return shown
    apart = f"\n{rest}\n"  # Markdown within HTML is read only where empty lines part them
    return f"{shown}\n\n{_folded(len(cells) - MOST_ROWS, apart)}"


def _holds_figures(cells: "pd.Series[str]") -> bool:
    """Return whether cells are figures, intervals, or a dash in the place of one."""
    return bool(len(cells)) and bool(
        cells.str.fullmatch(r"[-+]?[\d,]+(\.\d+)?(e[-+]\d+)?|\[[^a-z]+\]|" + NOTHING).all()
    )


def _decimals(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return figures as text with as many decimals as the one that has most; other columns as they are."""
    if column.dtype.kind != "f":
        return column
    written = [str(value) for value in column.dropna()]
    if any("e" in text for text in written):
        return column
    most = max((len(text.partition(".")[2]) for text in written), default=0)
    return column.map(lambda value: NOTHING if pd.isna(value) else f"{value:.{most}f}")


def _cell(value: Any) -> str:
    """Return text that stays within one cell: one line, no bar."""
    return " ".join(str(value).split()).replace("|", "\\|")


show_tables_whole()  # every chapter imports this module, and no reader should meet NaN or a table that is cut off

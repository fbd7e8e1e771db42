"""Tables about a chapter itself: the settings it runs under, and where its results come from."""

from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import Markdown

from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run
from perpfut_lib.config import Profile, Section

SHORT_HASH = 12


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
    """Return a value as text, a file by its name only: where it lies on this machine is nobody's business."""
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return "none" if value is None else Path(value).name if "/" in str(value) else str(value)


def markdown_table(table: pd.DataFrame) -> str:
    """Return a table as Markdown, its index left out; figures of a column have equal decimals, gaps are empty."""
    cells = table.apply(_decimals).map(_cell).rename(columns=_cell)
    return str(cells.to_markdown(index=False, disable_numparse=True))


def _decimals(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return figures as text with as many decimals as the one that has most; other columns as they are."""
    if column.dtype.kind != "f":
        return column
    written = [str(value) for value in column.dropna()]
    if any("e" in text for text in written):
        return column
    most = max((len(text.partition(".")[2]) for text in written), default=0)
    return column.map(lambda value: "" if pd.isna(value) else f"{value:.{most}f}")


def _cell(value: Any) -> str:
    """Return text that stays within one cell: one line, no bar."""
    return " ".join(str(value).split()).replace("|", "\\|")

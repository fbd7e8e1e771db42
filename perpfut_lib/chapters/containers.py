"""The tables of the page on containers, from what docker/trials and docker/sbom.py published."""

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from perpfut_lib.artifacts import Run, read_published
from perpfut_lib.chapters.tables import markdown_table
from perpfut_lib.config import Profile
from perpfut_lib.types import Json

POSITIONS: Final = "containers_positions"
CONTENTS: Final = "containers_contents"
DEMONSTRATION: Final = "containers_demo"
SAME: Final = 0.1
"""Relative change of gross notional that prices alone make."""
MB: Final = 1e6


def container_positions(profile: Profile, run: Run) -> str:
    """Return what each disturbance did to positions: processes and engine first, then disk, network and clocks."""
    rows = read_published(POSITIONS)["rows"]
    told = [
        {
            "disturbance": row["name"],
            "for (s)": f"{row['lasted']:.0f}",
            "positions meanwhile": fate(row),
            "then as signalled": recovery(row),
            "reasons of the signals": codes(row.get("reasons")),
        }
        for row in rows
    ]
    outer = ("volume", "network", "clock")
    parts = [
        [row for row in told if any(word in row["disturbance"] for word in outer) == outside]
        for outside in (False, True)
    ]
    images = ", ".join(f"`{each[:8]}`" for each in sorted({row["revision"] for row in rows}))
    note = f"Measured on two cores that other work kept busy, which is in the times; images of the commits {images}."
    return "\n\n".join([*(markdown_table(pd.DataFrame(part)) for part in parts if part), note])


def codes(reasons: Sequence[str] | None) -> str:
    """Return reason codes as the page shows them; an unrecorded field is not shown as none."""
    if reasons is None:
        return "not recorded"
    return ", ".join(f"`{code}`" for code in reasons) or "none"


def fate(row: Mapping[str, Json]) -> str:
    """Describe what happened to positions during a disturbance."""
    before, end = row["held_before"], row["held_at_end"]
    if row["flat_after"] is not None:
        return f"closed {_after(row['flat_after'])}" + (", and opened again" if end else "")
    if not row["fills"]:
        return "held, unchanged: nobody traded"
    return "held and traded on" if end >= (1 - SAME) * before else f"reduced to {end / before:.0%}"


def recovery(row: Mapping[str, Json]) -> str:
    """Say when positions matched a fresh signal again."""
    after = row["in_line_after"]
    if after is None:
        return "not within ten minutes"
    return _after(after)


def _after(seconds: float) -> str:
    return "at once" if seconds < 1 else f"after {seconds:.0f} s"


def container_contents(profile: Profile, run: Run) -> str:
    """Return the contents of the images and the known flaws of their packages."""
    images = read_published(CONTENTS)["images"]
    rows = [
        {
            "image": f"`perpfut/{name}`",
            "size (MB)": f"{told['bytes'] / MB:.0f}",
            "packages": f"{told['python_packages']} of Python, {told['debian_packages']} of Debian",
            "largest (MB)": ", ".join(f"{each} {size / MB:.0f}" for each, size in largest(told)),
            "known vulnerabilities (Python)": flaws(told["vulnerabilities"]),
            "security updates missing (Debian)": updates(told["security_updates"]),
        }
        for name, told in images.items()
    ]
    standing = sorted(name for name, told in images.items() if told["base"] == "stand-in")
    notes = [f"Measured on stand-in bases ({', '.join(standing)}), not on the official ones."] if standing else []
    late = sorted({f"`{each['package']}`" for told in images.values() for each in told["security_updates"]["found"]})
    notes += [f"Security updates exist of {', '.join(late)}."] if late else []
    return "\n\n".join([markdown_table(pd.DataFrame(rows)), *notes])


def largest(told: Mapping[str, Json], count: int = 5) -> list[tuple[str, int]]:
    """Return the largest distributions of an image."""
    return sorted(told["largest_python"].items(), key=lambda item: -item[1])[:count]


def flaws(told: Mapping[str, Json]) -> str:
    """Return what was found, or why nobody could be asked."""
    if not told["asked"]:
        return f"not known: {told['why']}"
    listed = ", ".join(sorted({flaw["id"] for flaw in told["found"]})) or "none"
    return f"{listed} ({told['asked']} packages asked about, {told['unasked']} not)"


def updates(told: Mapping[str, Json]) -> str:
    """Return of how many packages Debian has a security update, or why nobody could be asked."""
    if not told["asked"]:
        return f"not known: {told['why']}"
    return str(len(told["found"])) if told["found"] else "none"


def container_demonstration(profile: Profile, run: Run) -> str:
    """Return how the demonstration under Compose compared with its replay, in a sentence."""
    kept = read_published(DEMONSTRATION)
    replay = kept["replay"]
    healthy, stopped = f"{kept['healthy_after_s']:.0f} s", f"{kept['stopped_after_s']:.0f} s"
    return (
        f"In the published trial of {kept['minutes']} minutes {replay['equal']} of {replay['signals']} signals equal "
        f"the replay's, {replay['with_positions']} of them with positions, with {kept['fills']} fills. On a busy "
        f"machine all services were healthy {healthy} after the start, and stopped within {stopped}."
    )

"""Where a table's numbers come from: the artifacts of a run, or the published results of a profile.

A published result is a folder ``artifacts/published/<profile>/`` of small CSV files beside a manifest with their
SHA-256 and everything that they follow from. Floats are written so that they read back to the same bits.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from typing import Final

import pandas as pd

from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run, publish, read_published, source_hash, write_bytes
from perpfut_lib.attribution import load_ladder, load_sweep
from perpfut_lib.config import Profile, project_root
from perpfut_lib.errors import ArtifactError
from perpfut_lib.evaluate import load_costs, load_metrics
from perpfut_lib.robustness import load_checks
from perpfut_lib.types import JsonObject

Source = Run | str
STAGES: Final = ("evaluate", "attribution", "robustness")
"""Stages that result tables come from, in order."""
TABLES: Final = {
    "evaluate": ("metrics", "costs"),
    "attribution": ("ladder", "sweep"),
    "robustness": ("seeds", "significance", "folds", "placebos"),
}
"""Names of the tables of each of these stages."""
MANIFEST: Final = "manifest"
RATIO_DAYS: Final = 20
"""With fewer days an annual ratio says next to nothing and is not shown."""
LOW_FEE_BPS: Final = 1.44
TAKER_FEE_BPS: Final = 4.5
FEES_BPS: Final = (LOW_FEE_BPS, TAKER_FEE_BPS)
"""Fees per side that the study's questions are about, basis points."""
SIMULATED: Final = "sim"
"""How the names of profiles of simulated markets begin."""
LOADERS: Final[dict[str, Callable[[Run], pd.DataFrame]]] = {
    "metrics": load_metrics,
    "costs": load_costs,
    "ladder": load_ladder,
    "sweep": load_sweep,
    "seeds": lambda run: load_checks(run, "seeds"),
    "significance": lambda run: load_checks(run, "significance"),
    "folds": lambda run: load_checks(run, "folds"),
    "placebos": lambda run: load_checks(run, "placebos"),
}


def read_result(source: Source, name: str) -> pd.DataFrame:
    """Return one of the tables named in :data:`LOADERS`, of a run or, given a profile's name, of what it published.

    Raises
    ------
    ArtifactError
        Nothing was published under that name, or the file is not the one that its manifest was written for.
    """
    if isinstance(source, Run):
        return without_ratios_of_few_days(LOADERS[name](source))
    expected = published_tables(source).get(name)
    path = project_root() / "artifacts" / "published" / source / f"{name}.csv"
    content = path.read_bytes() if path.is_file() else b""
    if expected is None or hashlib.sha256(content).hexdigest() != expected:
        found = f"{name}.csv of profile {source} that its manifest does not know"
        raise ArtifactError(found, "the file that was published", f"perpfut publish results --profile {source}")
    return without_ratios_of_few_days(pd.read_csv(io.BytesIO(content), float_precision="round_trip"))


def without_ratios_of_few_days(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose annual Sharpe and Sortino ratios of fewer than :data:`RATIO_DAYS` days are NaN.

    Four days of which one trades show the same ratio whatever they earned. The artifacts keep them.
    """
    if "days" not in table:
        return table
    ratios = [column for column in table if column.split("_")[0] in ("sharpe", "sortino")]
    return table.assign(**{column: table[column].where(table["days"] >= RATIO_DAYS) for column in ratios})


def write_results(profile: Profile, run: Run, stages: Sequence[str] = STAGES) -> dict[str, str]:
    """Publish the result tables of some stages of a run that is current; return the SHA-256 of each by name."""
    contents = csv_tables(run, stages)
    for name, content in contents.items():
        write_bytes(project_root() / "artifacts" / "published" / profile.name / f"{name}.csv", content)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    publish(f"{profile.name}/{MANIFEST}", {**provenance(profile, run, stages), "tables": hashes})
    return hashes


def csv_tables(run: Run, stages: Sequence[str] = STAGES) -> dict[str, bytes]:
    """Return the result tables of some stages of a run as CSV; the same bits give the same bytes."""
    names = [name for stage in stages for name in TABLES[stage]]
    return {name: LOADERS[name](run).to_csv(index=False).encode() for name in names}


def provenance(profile: Profile, run: Run, through: Sequence[str] = STAGES) -> JsonObject:
    """Return what the published tables of some stages follow from."""
    stages = {stage.name: stage for last in through for stage in pipeline.needed(last)}
    manifests = {name: run.stage(name).manifest() for name in stages}
    sections = sorted({section for stage in stages.values() for section in stage.sections})
    last = manifests[through[-1]]
    return {
        "profile": profile.name,
        "title": profile.title,
        "settings": profile.sections_hash(sections),
        "inputs": pipeline.fingerprint(profile),
        "code": {name: source_hash(stage.module) for name, stage in stages.items()},
        "results": {name: manifest.content_hash() for name, manifest in manifests.items()},
        "seconds": {name: manifest.seconds for name, manifest in manifests.items()},
        "git_commit": last.git_commit,
        "packages": last.packages,
    }


def published_profiles(table: str | None = None) -> list[str]:
    """Return the profiles that have published results, or those that have published one table."""
    root = project_root() / "artifacts" / "published"
    names = sorted(path.parent.name for path in root.glob(f"*/{MANIFEST}.json"))
    return [name for name in names if table is None or table in published_tables(name)]


def published_tables(profile: str) -> dict[str, str]:
    """Return the SHA-256 of each published table of a profile by name."""
    tables: dict[str, str] = read_published(f"{profile}/{MANIFEST}")["tables"]
    return tables


def results_hash() -> str:
    """Return a hash of all published results: what a chapter that shows them follows from."""
    root = project_root() / "artifacts" / "published"
    files = sorted(path for name in published_profiles() for path in (root / name).iterdir())
    files += sorted(root.glob("*.json"))
    named = (str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() for path in files)
    return hashlib.sha256(b"".join(named)).hexdigest()


def is_simulated(profile: str) -> bool:
    """Return whether a published profile is of a simulated market; the name says it."""
    return profile.startswith(SIMULATED)


def over_published(make: Callable[[str], pd.DataFrame], table: str, *, simulated: bool | None = None) -> pd.DataFrame:
    """Return what ``make`` shows of all profiles that have published ``table``, each with its name before the rows.

    ``simulated`` keeps the profiles of simulated markets, or those of recorded ones; by default all.
    """
    names = [name for name in published_profiles(table) if simulated in (None, is_simulated(name))]
    tables = {name: make(name) for name in names}
    return pd.concat(tables, names=["profile"]) if tables else nothing_published()


def nothing_published() -> pd.DataFrame:
    """Return an empty table with the reason."""
    return pd.DataFrame(columns=["nothing of this is published yet"])

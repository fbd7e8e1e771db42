"""Write docker/agent-requirements.lock: what the live agent needs of requirements.lock, and nothing that trains."""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[1]
LOCK: Final = ROOT / "docker" / "agent-requirements.lock"
IMPORTED: Final = (
    "aiohttp",  # the local exchange
    "apprise",  # messages of the watchdog
    "ccxt",
    "coincurve",  # the local exchange checks Hyperliquid's signatures
    "httpx",
    "joblib",
    "langgraph",
    "langgraph-checkpoint-sqlite",
    "langsmith[otel]",
    "numba",
    "numpy",
    "orjson",
    "ormsgpack",
    "pandas",
    "prometheus_client",  # the console
    "pyarrow",
    "pydantic",
    "PyYAML",
    "safetensors",
    "scipy",  # numba's linear algebra is SciPy's
    "tqdm",
    "typer",
    "urllib3",
)
"""Distributions that the live process imports itself; the rest follows from what they require."""


def pinned(lock: str = "requirements.lock") -> dict[str, str]:
    """Return each entry of a lock file, its hashes included, by the distribution's canonical name."""
    entries = re.split(r"\n(?=\w)", (ROOT / lock).read_text().rstrip())
    found = dict[str, str]()
    for entry in entries:  # several entries of one name hold for different Pythons
        name = canonicalize_name(entry.partition("==")[0])
        found[name] = "\n".join(filter(None, (found.get(name), entry)))
    return found


def agent_lock() -> str:
    """Return the entries of requirements.lock that the imported distributions and all that they require stand on."""
    seen, waiting = set[tuple[str, frozenset[str]]](), [Requirement(name) for name in IMPORTED]
    while waiting:
        wanted = waiting.pop()
        met = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if met not in seen:
            seen.add(met)
            waiting.extend(_required(*met))
    entries = pinned()
    return "".join(f"{entries[name]}\n" for name in sorted({name for name, _ in seen}))


def _required(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """Yield what an installed distribution requires here, with these extras."""
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        environments = [{"extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
            yield requirement


if __name__ == "__main__":
    LOCK.write_text(agent_lock())
    sys.stdout.write(f"{LOCK.relative_to(ROOT)}: {agent_lock().count('==')} of the locked packages\n")

"""Run folders: one folder per stage, committed as a whole, with a manifest that says where everything came from.

A stage's folder appears complete or not at all: files are written into a sibling that is renamed when the manifest
is done. A failed stage leaves what was there before untouched.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from perpfut_lib.artifacts.atomic import read_json, sync_folder, write_bytes, write_json
from perpfut_lib.artifacts.provenance import file_sha256, git_commit, package_versions, settled_sha256
from perpfut_lib.config import hash_json, project_root
from perpfut_lib.errors import ArtifactError, MissingInputError
from perpfut_lib.types import Json

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """Provenance of one stage's artifacts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int
    stage: str
    key: str
    """Hash of everything that the stage depends on; equal keys mean equal results."""
    depends: dict[str, str]
    """What went into ``key``: configuration, inputs, code."""
    outputs: dict[str, str]
    """File name to SHA-256."""
    git_commit: str
    packages: dict[str, str]
    created_at: str
    seconds: float

    def content_hash(self) -> str:
        """Return a hash of what was made, blind to when: downstream stages depend on it."""
        return hash_json(self.outputs)


@dataclass(frozen=True)
class StageFolder:
    """Files of one stage, by name; readable once committed, writable inside :meth:`Run.commit`."""

    path: Path

    def file(self, name: str) -> Path:
        """Return the path of a file in this folder."""
        return self.path / name

    def write_json(self, name: str, value: Json) -> None:
        """Write strict JSON."""
        write_json(self.file(name), value)

    def read_json(self, name: str) -> Json:
        """Read strict JSON."""
        return read_json(self.file(name))

    def write_table(self, name: str, table: "pd.DataFrame") -> None:
        """Write a parquet table (zstd)."""
        self.file(name).parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(self.file(name), compression="zstd", index=False)

    def read_table(self, name: str) -> "pd.DataFrame":
        """Read a parquet table."""
        import pandas as pd  # the agent's fast tick reads no table and does without

        return pd.read_parquet(self._existing(name))

    def write_array(self, name: str, array: npt.NDArray[Any]) -> None:
        """Write one array as ``.npy``."""
        self.file(name).parent.mkdir(parents=True, exist_ok=True)
        np.save(self.file(name), array, allow_pickle=False)

    def read_array(self, name: str, *, mapped: bool = False) -> npt.NDArray[Any]:
        """Read one ``.npy`` array, memory-mapped and read-only if ``mapped``."""
        return np.load(self._existing(name), mmap_mode="r" if mapped else None, allow_pickle=False)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write raw bytes."""
        write_bytes(self.file(name), content)

    def manifest(self) -> Manifest:
        """Return the manifest of a committed stage."""
        return Manifest.model_validate(read_json(self.file(MANIFEST)))

    def _existing(self, name: str) -> Path:
        if not self.file(name).is_file():
            raise MissingInputError(f"no {name} in {self.path}", "an artifact of that name", "run its stage again")
        return self.file(name)


@dataclass(frozen=True)
class Run:
    """The artifacts of one profile: ``artifacts/<name>/<stage>/``."""

    path: Path

    @classmethod
    def named(cls, name: str) -> "Run":
        """Return the run of that name under the project's ``artifacts/``."""
        return cls(project_root() / "artifacts" / name)

    def stage(self, name: str) -> StageFolder:
        """Return a committed stage's folder.

        Raises
        ------
        MissingInputError
            The stage has not been run.
        """
        folder = self.path / name
        _recover(folder)
        if not (folder / MANIFEST).is_file():
            remedy = f"run: perpfut run --profile {self.path.name}"
            raise MissingInputError(f"no artifacts of stage {name!r} in {self.path}", "its manifest", remedy)
        return StageFolder(folder)

    def is_current(self, name: str, key: str) -> bool:
        """Return whether the stage was committed with this ``key`` and its files are still what was written."""
        try:
            folder = self.stage(name)
            manifest = folder.manifest()
        except (MissingInputError, ArtifactError, ValueError):
            return False
        if manifest.key != key or manifest.schema_version != SCHEMA_VERSION:
            return False  # before any file is read: many neighbours are asked
        return all(_is(folder.file(file), digest) for file, digest in manifest.outputs.items())

    @property
    def settings(self) -> Path:
        """Where the settings of the last stage that was run are kept, for people who compare runs."""
        return self.path / "settings.json"

    def scratch(self, name: str) -> Path:
        """Return the folder of a stage for what must outlive a crash: checkpoints. It goes when the stage is there."""
        return self.path / f".{name}.scratch"

    def adopt(self, name: str, key: str) -> bool:
        """Take over a stage that a neighbouring run already made with the same ``key``, by hard links.

        Returns
        -------
        bool
            Whether there was one. Committed files are replaced and never edited, so links are safe to share.
        """
        for manifest in sorted(self.path.parent.glob(f"*/{name}/{MANIFEST}")):
            source = manifest.parent
            if source.parent == self.path or not Run(source.parent).is_current(name, key):
                continue
            self.path.mkdir(parents=True, exist_ok=True)
            partial = self.path / f".{name}.partial-{os.getpid()}"
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(source, partial, copy_function=os.link)
            _replace(partial, self.path / name)
            return True
        return False

    @contextmanager
    def commit(self, name: str, depends: Mapping[str, str]) -> Iterator[StageFolder]:
        """Yield a folder to write a stage's files into; on leaving without an error it replaces the stage's folder."""
        started = time.monotonic()
        self.path.mkdir(parents=True, exist_ok=True)
        final, partial = self.path / name, self.path / f".{name}.partial-{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield StageFolder(partial)
            write_json(partial / MANIFEST, _manifest(name, depends, partial, started).model_dump(mode="json"))
            _replace(partial, final)
            shutil.rmtree(self.scratch(name), ignore_errors=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def stage_key(depends: Mapping[str, str]) -> str:
    """Return the hash of everything that a stage depends on."""
    return hash_json(dict(depends))


def _is(path: Path, digest: str) -> bool:
    """Return whether a file exists and has this SHA-256."""
    return path.is_file() and settled_sha256(path) == digest


def _manifest(name: str, depends: Mapping[str, str], folder: Path, started: float) -> Manifest:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return Manifest(
        schema_version=SCHEMA_VERSION,
        stage=name,
        key=stage_key(depends),
        depends=dict(depends),
        outputs={str(path.relative_to(folder)): file_sha256(path) for path in files},
        git_commit=git_commit(),
        packages=package_versions(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - started, 3),
    )


def _replace(partial: Path, final: Path) -> None:
    """Put ``partial`` in the place of ``final``; a crash in between is mended by :func:`_recover`."""
    previous = final.with_name(f".{final.name}.previous")
    shutil.rmtree(previous, ignore_errors=True)
    if final.exists():
        os.rename(final, previous)
    os.rename(partial, final)
    sync_folder(final.parent)
    shutil.rmtree(previous, ignore_errors=True)


def _recover(final: Path) -> None:
    """Bring back the previous folder if a crash came between the two renames of :func:`_replace`."""
    previous = final.with_name(f".{final.name}.previous")
    if previous.exists() and not final.exists():
        os.rename(previous, final)

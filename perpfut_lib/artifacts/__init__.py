"""Artifacts are the only doors between rooms; this is the only package that knows their paths."""

from perpfut_lib.artifacts.atomic import read_json, write_bytes, write_json
from perpfut_lib.artifacts.provenance import file_sha256, git_commit, package_versions, source_hash
from perpfut_lib.artifacts.runs import Manifest, Run, StageFolder, stage_key

__all__ = [
    "Manifest",
    "Run",
    "StageFolder",
    "file_sha256",
    "git_commit",
    "package_versions",
    "read_json",
    "source_hash",
    "stage_key",
    "write_bytes",
    "write_json",
]

"""Artifacts are the only doors between rooms; this is the only package that knows their paths."""

from perpfut_lib.artifacts.atomic import kept_json, read_json, write_bytes, write_json
from perpfut_lib.artifacts.contract import (
    ActivePair,
    ActivePairs,
    Control,
    Leg,
    PairReport,
    Provenance,
    Reason,
    Signal,
)
from perpfut_lib.artifacts.contract_feedback import GovernorOrder, Metrics, PerfSnapshot, Position, RetrainRequest
from perpfut_lib.artifacts.contract_folder import AgentFolder
from perpfut_lib.artifacts.contract_freshness import Clocks, Freshness, Seen, Tolerance, assess
from perpfut_lib.artifacts.contract_io import decode, encode, read_document, write_document
from perpfut_lib.artifacts.provenance import (
    file_sha256,
    git_commit,
    package_versions,
    settled_sha256,
    source_hash,
)
from perpfut_lib.artifacts.published import list_published, publish, read_published
from perpfut_lib.artifacts.runs import MANIFEST, Manifest, Run, StageFolder, stage_key

__all__ = [
    "MANIFEST",
    "ActivePair",
    "ActivePairs",
    "AgentFolder",
    "Clocks",
    "Control",
    "Freshness",
    "GovernorOrder",
    "Leg",
    "Manifest",
    "Metrics",
    "PairReport",
    "PerfSnapshot",
    "Position",
    "Provenance",
    "Reason",
    "RetrainRequest",
    "Run",
    "Seen",
    "Signal",
    "StageFolder",
    "Tolerance",
    "assess",
    "decode",
    "encode",
    "file_sha256",
    "git_commit",
    "kept_json",
    "list_published",
    "package_versions",
    "publish",
    "read_document",
    "read_json",
    "read_published",
    "settled_sha256",
    "source_hash",
    "stage_key",
    "write_bytes",
    "write_document",
    "write_json",
]

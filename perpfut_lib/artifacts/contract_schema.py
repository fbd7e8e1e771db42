"""JSON Schemas of the contract, for readers in other languages: ``artifacts/schema/<kind>.json``."""

from pathlib import Path

from perpfut_lib.artifacts.atomic import write_json
from perpfut_lib.artifacts.contract_io import KINDS
from perpfut_lib.config import project_root
from perpfut_lib.types import JsonObject


def schemas() -> dict[str, JsonObject]:
    """Return the JSON Schema (draft 2020-12) of every kind of document."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {kind: {"$schema": draft, **model.model_json_schema()} for model, kind in KINDS.items()}


def schema_folder() -> Path:
    """Return the folder of the exported schemas."""
    return project_root() / "artifacts" / "schema"


def export_schemas() -> list[Path]:
    """Write every schema and return the files."""
    files = []
    for kind, schema in schemas().items():
        files.append(schema_folder() / f"{kind}.json")
        write_json(files[-1], schema)
    return files

"""No field that a log call adds has the name of an attribute of every record: ``logging`` raises KeyError for it.

The record is only made where its level is logged, so such a call passes every test that logs less than production.
"""

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TAKEN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Fields:
    """The fields of all log calls of some modules, found without running them."""

    def __init__(self, *modules: ast.Module) -> None:
        self._nodes = [node for module in modules for node in ast.walk(module)]

    def clashes(self) -> list[str]:
        """Return ``line: field`` for every field whose name is taken."""
        return [f"{line}: {name}" for line, name in self.all() if name in TAKEN]

    def all(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the name of every field."""
        for node in self._nodes:
            if isinstance(node, ast.Call):
                for keyword in node.keywords:
                    # `extra` of a pydantic configuration is a word, not a mapping
                    if keyword.arg == "extra" and not isinstance(keyword.value, ast.Constant):
                        yield from ((node.lineno, name) for name in self._names(keyword.value))

    def _names(self, value: ast.expr) -> Iterator[str]:
        """Yield the keys of a mapping: a display, a variable that is set to one, or a function that returns one."""
        if isinstance(value, ast.Dict):
            for key, item in zip(value.keys, value.values, strict=True):
                if key is None:
                    yield from self._names(item)
                else:
                    yield ast.literal_eval(key)
            return
        if isinstance(value, ast.Name):
            sources = [n.value for n in self._nodes if isinstance(n, ast.Assign) and value.id in map(_id, n.targets)]
        else:
            assert isinstance(value, ast.Call), f"line {value.lineno}: fields whose names cannot be read: write a dict"
            named = [n for n in self._nodes if isinstance(n, ast.FunctionDef) and n.name == _id(value.func)]
            sources = [n.value for f in named for n in ast.walk(f) if isinstance(n, ast.Return) and n.value is not None]
        assert sources, f"line {value.lineno}: fields whose names cannot be read: write a dict"
        for source in sources:
            yield from self._names(source)


def _id(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


SOURCES = [path for room in ("agent", "perpfut_lib") for path in (ROOT / room).rglob("*.py")]


@pytest.mark.parametrize("path", [path for path in SOURCES if "extra=" in path.read_text()], ids=lambda path: path.stem)
def test_no_field_of_a_log_line_is_taken(path):
    """Null hypothesis: some log call in this module adds a field that every record already has."""
    assert Fields(ast.parse(path.read_text())).clashes() == []


def test_the_search_finds_what_it_looks_for():
    """It finds fields that are taken in a display, in a variable that is unpacked, and in what a function returns."""
    text = """
log.info("a", extra={"thread": 1, "tick": 2})
span = {"message": 1}
log.info("b", extra={"fine": 1, **span})
def summary(): return {"taskName": 1}
log.info("c", extra=summary())
"""
    assert Fields(ast.parse(text)).clashes() == ["2: thread", "4: message", "6: taskName"]


def test_the_search_sees_the_calls_of_the_agent():
    """It is not blind: it finds every kind of field that the agent logs."""
    found = {name for path in SOURCES for _, name in Fields(ast.parse(path.read_text())).all()}
    assert {"tick", "cause", "valid_from", "gross"} <= found

"""The book's contents as a project file of Jupyter Book 2, made from the files that Jupyter Book 1 reads."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

HEAD = "# Made from _toc.yml and _config.yml by `perpfut chapters keep`; Jupyter Book 2 reads it.\n"


def myst_project(book: Path) -> str:
    """Return ``myst.yml`` for the book in a folder: same title, author, bibliography and pages in the same order."""
    settings = yaml.safe_load((book / "_config.yml").read_text(encoding="utf-8"))
    contents = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf-8"))
    parts = [
        {"title": part["caption"], "children": list(_entries(part["chapters"], book))} for part in contents["parts"]
    ]
    project = {
        "title": settings["title"],
        "authors": [{"name": settings["author"]}],
        "license": "MIT",
        "bibliography": settings["bibtex_bibfiles"],
        "numbering": {"equation": True, "figure": True, "table": True},
        "toc": [{"file": f"{contents['root']}.md"}, *parts],
    }
    site = {"template": "book-theme", "options": {"folders": True}}
    return HEAD + yaml.safe_dump({"version": 1, "project": project, "site": site}, sort_keys=False, width=120)


def pages(book: Path) -> list[str]:
    """Return every page of the contents by its path within the book, in order."""
    contents = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf-8"))
    entries = [entry for part in contents["parts"] for entry in _entries(part["chapters"], book)]
    return [f"{contents['root']}.md", *_files(entries)]


def _entries(chapters: Iterable[dict[str, Any]], book: Path) -> Iterable[dict[str, Any]]:
    for chapter in chapters:
        if "glob" in chapter:
            yield from ({"file": path.relative_to(book).as_posix()} for path in _matches(chapter["glob"], book))
        else:
            entry: dict[str, Any] = {"file": f"{chapter['file']}.md"}
            if "sections" in chapter:
                entry["children"] = list(_entries(chapter["sections"], book))
            yield entry


def _matches(pattern: str, book: Path) -> list[Path]:
    return sorted(path for path in book.glob(pattern) if path.suffix in (".md", ".ipynb"))


def _files(entries: Iterable[dict[str, Any]]) -> Iterable[str]:
    for entry in entries:
        yield entry["file"]
        yield from _files(entry.get("children", []))

"""Build the HTML book of a profile from its executed chapters, its artifacts and the prose; nothing is executed."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from perpfut_lib.artifacts import write_bytes
from perpfut_lib.chapters.catalogue import catalogue
from perpfut_lib.chapters.record import Executed
from perpfut_lib.config import Profile, hash_json, project_root
from perpfut_lib.errors import ChapterError

PROSE = "book"
BUILT = "_build"
STAMP = ".made-from"
RESULTS = ("generated/headline.md", "generated/fee_table.md")
_FIGURE = re.compile(r"\d+\.\d+|\d+\s*(?:%|bps\b|basis points)")


def book_page(profile: Profile) -> Path:
    """Return the first page of the profile's book."""
    return book_folder(profile) / "html" / "index.html"


def build_book(profile: Profile) -> bool:
    """Bring the book up to date and return whether there was anything to do.

    Raises
    ------
    ChapterError
        A chapter is missing, failed or stale, a table does not match its raw ledgers, or Sphinx warned of something.
    """
    from perpfut_lib.chapters.verify import verify_tables  # draws in every room of the library

    folder = book_folder(profile)
    pages = dict(_pages(profile))
    refuse_typed_results(pages)
    made_from = hash_json({name: hashlib.sha256(content).hexdigest() for name, content in pages.items()})
    stamp = folder / "html" / STAMP
    if stamp.is_file() and stamp.read_text() == made_from and book_page(profile).is_file():
        return False
    verify_tables(profile)
    stamp.unlink(missing_ok=True)
    if _lay_out(folder / "source", pages):
        for made in ("html", "doctrees"):  # Sphinx would keep old pages and old contents
            shutil.rmtree(folder / made, ignore_errors=True)
    run_sphinx(folder, "html", "html")
    write_bytes(stamp, made_from.encode())
    return True


def refuse_typed_results(pages: dict[str, bytes]) -> None:
    """Refuse a prose page that includes results and also states figures of its own, which could come to differ.

    Raises
    ------
    ChapterError
        A figure with a unit, or with decimals, stands on such a page.
    """
    for name, content in pages.items():
        text = content.decode(errors="ignore")
        typed = _FIGURE.search(text) if name.endswith(".md") and any(page in text for page in RESULTS) else None
        if typed:
            found = f"the figure {typed[0].strip()!r} typed into {name}"
            raise ChapterError(found, "results to be included from generated/", "write what it means, not the number")


def book_folder(profile: Profile) -> Path:
    """Return the folder of the profile's book: its sources and what is built from them."""
    return project_root() / PROSE / BUILT / profile.name


def _pages(profile: Profile) -> Iterator[tuple[str, bytes]]:
    """Yield every source of the book by its path: prose, executed chapters, and snippets made from artifacts."""
    from perpfut_lib.chapters.snippets import snippets  # draws in every room of the library

    prose = project_root() / PROSE
    for path in sorted(prose.rglob("*")):
        name = path.relative_to(prose)
        if path.is_file() and name.parts[0] != BUILT and "__pycache__" not in name.parts:
            yield str(name), path.read_bytes()
    for chapter in catalogue():
        yield f"notebooks/{chapter.path.name}", Executed(chapter, profile).require_current().read_bytes()
    for snippet, text in snippets(profile).items():
        yield f"generated/{snippet}.md", text.encode()


def _lay_out(source: Path, pages: dict[str, bytes]) -> bool:
    """Make ``source`` hold exactly ``pages``, touching only what differs; return whether a page is new or gone."""
    before = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    for name in before - pages.keys():
        (source / name).unlink()
    for name, content in pages.items():
        if name not in before or (source / name).read_bytes() != content:
            write_bytes(source / name, content)
    return before != pages.keys()


def run_sphinx(folder: Path, builder: str, output: str) -> None:
    """Render ``folder/source`` into ``folder/output``, strictly; :class:`ChapterError` if anything is amiss."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", builder]
    paths = ["-d", str(folder / "doctrees"), str(folder / "source"), str(folder / output)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, *paths], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        found = f"Sphinx complaining:\n{done.stderr.strip()}\n"
        raise ChapterError(found, "a book without warnings", "mend the page that it names")

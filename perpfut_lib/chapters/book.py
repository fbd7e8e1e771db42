"""Build the book of a profile by Jupyter Book from its executed chapters, its artifacts and the prose.

Nothing is executed. Without a profile, ``jupyter-book build book/`` builds the chapters that ``notebooks/`` keeps.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, Literal

import nbformat

from perpfut_lib.artifacts import write_bytes
from perpfut_lib.chapters.catalogue import catalogue
from perpfut_lib.chapters.engine import run_jupyter_book
from perpfut_lib.chapters.one_file import make_epub, print_pdf
from perpfut_lib.chapters.record import Executed, ran_to_its_end
from perpfut_lib.config import Profile, hash_json, project_root
from perpfut_lib.errors import ChapterError

PROSE = "book"
BUILT = "_build"
STAMP = ".made-from"
PICTURE = "_static/result.png"
SLIDES = "_static/slides.html"
GUIDES = "notebooks/howto"
RESULTS = ("generated/headline.md", "generated/fee_table.md", "generated/verdicts.md")
Format = Literal["pdf", "epub"]
FILES: Final[dict[Format, str]] = {"pdf": "book.pdf", "epub": "book.epub"}
MAKERS: Final[dict[Format, Callable[[Path], Path]]] = {"pdf": print_pdf, "epub": make_epub}
MADE_HERE: Final = ("_build", "generated", "notebooks")
"""In ``book/`` these hold what was made, or the kept chapters: the book of a profile makes its own."""
_FIGURE = re.compile(r"\d+\.\d+|\d+\s*(?:%|bps\b|basis points)")


def book_page(profile: Profile) -> Path:
    """Return the first page of the profile's book."""
    return book_folder(profile) / "html" / "index.html"


def build_book(profile: Profile, formats: Collection[Format] = ()) -> bool:
    """Bring the book up to date and return whether there was anything to do.

    Parameters
    ----------
    profile : Profile
        Whose book; every chapter must have been executed.
    formats : collection of Format
        What to make beside the pages and to link on the first one; what was made of the same sources is kept.

    Raises
    ------
    ChapterError
        A chapter is missing, failed or stale, a table does not match its raw ledgers, or Jupyter Book warned.
    MissingInputError
        A PDF is asked for and there is no Chromium.
    """
    from perpfut_lib.chapters.verify import verify_tables  # draws in every room of the library

    folder = book_folder(profile)
    pages = dict(_pages(profile))
    refuse_typed_results(pages)
    made_from = hash_json({name: hashlib.sha256(content).hexdigest() for name, content in pages.items()})
    made = _made_before(folder, made_from)
    if made is not None and set(formats) <= made:
        return False
    verify_tables(profile)
    wanted = set(formats) | (made or set())
    (folder / "html" / STAMP).unlink(missing_ok=True)
    pages["generated/downloads.md"] = downloads(wanted).encode()
    _lay_out(folder / "source", pages)
    shutil.rmtree(folder / "html", ignore_errors=True)
    run_jupyter_book(folder, "html").rename(folder / "html")
    for extra in sorted(wanted):
        write_bytes(folder / "html" / FILES[extra], MAKERS[extra](folder).read_bytes())
    write_bytes(folder / "html" / STAMP, "\n".join([made_from, *sorted(wanted)]).encode())
    return True


def downloads(formats: Collection[Format]) -> str:
    """Return the line of the first page that says where the book is as one file."""
    if formats:
        return (
            "As one file: "
            + ", ".join(f'<a href="{FILES[each]}">{each.upper()}</a>' for each in sorted(formats))
            + ".\n"
        )
    return "As one file: `perpfut book --pdf --epub` makes both, and links them here.\n"


def _made_before(folder: Path, made_from: str) -> set[Format] | None:
    """Return which formats were made of the same sources beside the pages; None if the pages were not."""
    stamp = folder / "html" / STAMP
    first, *formats = stamp.read_text().splitlines() if stamp.is_file() else [""]
    return {each for each in FILES if each in formats} if first == made_from else None


def refuse_typed_results(pages: dict[str, bytes]) -> None:
    """Refuse a prose page that includes results and also states figures of its own, which could drift apart.

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
    prose = project_root() / PROSE
    for path in sorted(prose.rglob("*")):
        name = path.relative_to(prose)
        if path.is_file() and name.parts[0] not in MADE_HERE and "__pycache__" not in name.parts:
            yield str(name), path.read_bytes()
    for chapter in catalogue():
        yield f"notebooks/{chapter.path.name}", Executed(chapter, profile).require_current().read_bytes()
    for path in how_tos():
        yield f"notebooks/howto/{path.name}", _require_whole(path).read_bytes()
    yield from made_pages(profile).items()


def how_tos() -> list[Path]:
    """Return the how-to guides in the book's order; none in a project without them."""
    return sorted((project_root() / GUIDES).glob("*.ipynb"))


def _require_whole(path: Path) -> Path:
    """Return a kept guide that ran to its end; :class:`ChapterError` if it did not."""
    if not ran_to_its_end(nbformat.read(path, as_version=4)):
        found = f"the guide {path.name} not run to its end"
        raise ChapterError(found, "every cell executed without error", "run: perpfut chapters howto")
    return path


def made_pages(profile: Profile) -> dict[str, bytes]:
    """Return every page and picture of the book that is made from artifacts, by its path."""
    from perpfut_lib import report  # draws in every room of the library
    from perpfut_lib.chapters.slides import slides_page
    from perpfut_lib.chapters.snippets import snippets

    pages = {f"generated/{snippet}.md": text.encode() for snippet, text in snippets(profile).items()}
    return pages | {PICTURE: report.headline_picture(), SLIDES: slides_page().encode()}


def _lay_out(source: Path, pages: dict[str, bytes]) -> None:
    """Make ``source`` hold exactly ``pages``, touching only what differs."""
    before = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    for name in before - pages.keys():
        (source / name).unlink()
    for name, content in pages.items():
        if name not in before or (source / name).read_bytes() != content:
            write_bytes(source / name, content)

"""Where the chat page's files are, and what goes out with them.

Knows no framework. The page is built from `clients/js/page`; a wheel has it, a
checkout has it once `make page` has run.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

PAGE_FOLDER: Final = Path(str(files("tickertape.web"))) / "page"

HOW_TO_BUILD: Final = "the page is not built; run `make page` in the checkout"

_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def is_page_built(folder: Path = PAGE_FOLDER) -> bool:
    """Return whether there is a page to serve."""
    return (folder / "index.html").is_file()


def page_headers(path: str) -> dict[str, str]:
    """Return the headers of one of the page's files, by its path below the folder."""
    # What is in assets/ has its content's hash in its name, so it never changes.
    is_fixed = path.startswith("assets/")
    kept = "public, max-age=31536000, immutable" if is_fixed else "no-cache"
    return {**_HEADERS, "cache-control": kept}

"""Page: the service's own page, at /, as plain files; it uses the public API like every client.

Its drawing library is the one in Python's plotly package, so nothing is loaded from another machine.
"""

import mimetypes
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from service.operations.case_files import sha256_of
from service.web.http.etags import unless_known
from service.web.problem_answers import problem

router = APIRouter(include_in_schema=False)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # The drawing library sets styles on what it draws. Scripts stay this service's own.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a browser allows the page: to request from this service alone, and to run no script but its files."""

LIBRARY = "plotly.min.js"


def _library() -> Path:
    """The drawing library in the installed plotly."""
    spec = find_spec("plotly")
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "package_data" / LIBRARY


_FOLDER = Path(__file__).parents[1] / "page"

FILES = {
    file.relative_to(_FOLDER).as_posix(): file for file in sorted(_FOLDER.rglob("*")) if file.is_file()
} | {LIBRARY: _library()}
"""All files under /page, by their path there."""

_ETAGS = {name: f'"{sha256_of(file)}"' for name, file in FILES.items()}


@router.get("/")
async def page(request: Request) -> Response:
    """The page."""
    return _sent(request, "index.html")


@router.get("/page/{name:path}")
async def page_file(request: Request, name: str) -> Response:
    """A file of the page."""
    if name not in FILES:
        raise problem("not-found", "The page has no such file.")
    return _sent(request, name)


def _sent(request: Request, name: str) -> Response:
    headers = {
        "Content-Security-Policy": POLICY,
        # Revalidated each time, so that a page and its modules never have different versions.
        "Cache-Control": "no-cache",
        "ETag": _ETAGS[name],
    }
    not_modified = unless_known(request, _ETAGS[name], headers)
    if not_modified is not None:
        return not_modified
    # Browsers refuse modules without the type of JavaScript, and some systems' tables have another one.
    kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
    return FileResponse(FILES[name], media_type=kind, headers=headers)

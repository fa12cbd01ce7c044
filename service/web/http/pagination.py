"""Pagination: lists, newest first, one page at a time. New items do not shift later pages."""

from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import JSONResponse

DEFAULT_LIMIT, MOST = 20, 100

PageLimit = Annotated[int, Query(ge=1, le=MOST, description="Items on a page.")]
Cursor = Annotated[
    int | None, Query(ge=1, le=2**53, description="Where the page begins: as `next` says, or nothing.")
]


def page(request: Request, items: list[dict[str, Any]], next_cursor: int | None) -> JSONResponse:
    """The items, and the address of the next page as `next` and in the Link header."""
    following = None
    headers = {}
    if next_cursor is not None:
        url = request.url.include_query_params(cursor=next_cursor)
        following = f"{url.path}?{url.query}"
        headers["Link"] = f'<{following}>; rel="next"'
    return JSONResponse({"items": items, "next": following}, headers=headers)


def cursor_after(numbers: list[int], limit: int) -> int | None:
    """The cursor of the next page, from a list that was read with one item more than `limit`."""
    return numbers[limit - 1] if len(numbers) > limit else None

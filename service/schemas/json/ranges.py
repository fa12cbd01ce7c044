"""Ranges: the limits of numbers, found by their place in a document; and the limits of lists.

All are settings [U] unless a reason names a source.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from planner.records.bounds import Limit
from service.schemas.json.records import ReadAs

MAX_NAMES = 500
"""Longest list or table of structure names in a request: more than four times TotalSegmentator's classes."""

MAX_NEEDLES, MAX_SEEDS = 200, 500
"""Longest lists of needles and of seeds: published implants had up to 105 seeds (PMC5808001)."""


def limit_at(model: type, pointer: str) -> Limit | None:
    """The limit at a JSON pointer into a model's document, if there is one."""
    for pattern, limit in _patterns(model):
        if pattern.fullmatch(pointer):
            return limit
    return None


def limits_of(model: type) -> dict[str, Limit]:
    """The limits of a model's numbers by JSON pointer, with * for any name and # for any index."""
    return dict(_limits_in(model, ""))


def _limits_in(form: Any, pointer: str) -> Iterator[tuple[str, Limit]]:
    for mark in getattr(form, "__metadata__", ()):
        if isinstance(mark, Limit):
            yield pointer, mark
        if isinstance(mark, ReadAs):
            yield from _limits_in(mark.form, pointer)
            return
    if isinstance(form, type) and (is_dataclass(form) or issubclass(form, BaseModel)):
        for name, hint in get_type_hints(form, include_extras=True).items():
            yield from _limits_in(hint, f"{pointer}/{name}")
    elif isinstance(get_origin(form), type) and issubclass(get_origin(form), Mapping):
        yield from _limits_in(get_args(form)[1], f"{pointer}/*")
    else:
        inner = f"{pointer}/#" if get_origin(form) is tuple else pointer
        for part in get_args(form):
            yield from _limits_in(part, inner)


@functools.cache
def _patterns(model: type) -> list[tuple[re.Pattern[str], Limit]]:
    return [(_pattern(pointer), limit) for pointer, limit in limits_of(model).items()]


def _pattern(pointer: str) -> re.Pattern[str]:
    parts = {"*": "[^/]*", "#": "[0-9]+"}
    return re.compile("/".join(parts.get(part, re.escape(part)) for part in pointer.split("/")))

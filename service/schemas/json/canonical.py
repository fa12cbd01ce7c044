"""Canonical JSON: records to JSON values, and JSON values to one fixed text.

The text is UTF-8, indented by one space, with floats in Python's shortest form that reads back exactly, and a
newline at the end, so that equal work gives equal bytes.
"""

import functools
import json
import numbers
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import StrEnum
from typing import Any, get_args, get_type_hints


def to_json(value: Any, declared: Any = None) -> Any:
    """Records as JSON values, tables sorted by name, numpy's numbers as Python's.

    If the `declared` type has floats, whole numbers are written as floats: equal records give equal texts.
    Raises TypeError for a value that JSON cannot represent.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, StrEnum | str):
        return str(value)
    if isinstance(value, numbers.Integral) and not _has_floats(declared):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, tuple | list):
        return [to_json(item, declared) for item in value]
    if isinstance(value, Mapping):
        return {name: to_json(value[name], declared) for name in sorted(value)}
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value):
        return record_to_json(value)
    raise TypeError(f"a plan holds a {type(value).__name__}, which JSON has no form for")


def record_to_json(record: Any, **own_forms: Any) -> dict[str, Any]:
    """A record as a JSON object: its fields in their order; fields in `own_forms` have the value given
    there."""
    declared = _declared_types(type(record))
    return {
        field.name: own_forms[field.name]
        if field.name in own_forms
        else to_json(getattr(record, field.name), declared[field.name])
        for field in fields(record)
    }


_declared_types: Callable[[Any], dict[str, Any]] = functools.cache(get_type_hints)


@functools.cache
def _has_floats(declared: Any) -> bool:
    return declared is float or any(_has_floats(part) for part in get_args(declared))


def text_of(content: dict[str, Any]) -> bytes:
    """The text. Raises ValueError for NaN or infinity."""
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()

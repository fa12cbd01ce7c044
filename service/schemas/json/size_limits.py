"""Size limits: unknown names, and lists and tables that are too long, found before the document is validated.

Validation records every mistake with its context, and a text of a megabyte may contain half a million. This
search covers everything that a sender can repeat without limit: if it finds nothing, the number of mistakes
is limited, too. It ends early, and visits no more than a model has room for.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.schemas.json.records import adapter

JsonPath = list[str | int]
"""Where a value is in a document: names and indices."""

UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""pydantic's kinds of error for a field that a model, or a record, does not have."""


@dataclass(frozen=True)
class Excess:
    """A value beyond a limit: its place, the kind of error (pydantic's name), the value, and the limit."""

    path: tuple[str | int, ...]
    kind: str
    value: Any
    context: Mapping[str, Any]


@dataclass(frozen=True)
class _Shape:
    """The limits of a JSON schema at one place, and below it. None means no limit."""

    fields: "Mapping[str, _Shape | None] | None"
    any_name: "_Shape | None"
    most_members: int | None
    items: "_Shape | None"
    most_items: int | None


def too_much(model: type, document: Any) -> Iterator[Excess]:
    """All values of the document beyond the model's limits, in the document's order, found lazily. The
    content of a list that is too long is not visited."""
    return _in_value(_shape_of(model), document, [])


def _in_value(shape: _Shape | None, value: Any, path: JsonPath) -> Iterator[Excess]:
    if shape is None:
        return
    if isinstance(value, dict):
        yield from _in_object(shape, value, path)
    elif isinstance(value, list):
        if shape.most_items is not None and len(value) > shape.most_items:
            context = {"max_length": shape.most_items}
            yield Excess(tuple(path), "too_long", value, context)
        elif shape.items is not None:
            for n, item in enumerate(value):
                yield from _in_value(shape.items, item, [*path, n])


def _in_object(shape: _Shape, value: dict[str, Any], path: JsonPath) -> Iterator[Excess]:
    if shape.most_members is not None and len(value) > shape.most_members:
        yield Excess(tuple(path), "too_long", value, {"max_length": shape.most_members})
        return
    for name, inner in value.items():
        if shape.fields is None:
            yield from _in_value(shape.any_name, inner, [*path, name])
        elif name in shape.fields:
            yield from _in_value(shape.fields[name], inner, [*path, name])
        else:
            yield Excess((*path, name), UNKNOWN[0], inner, {})


def known_names(model: type, path: Sequence[str | int]) -> Iterable[str]:
    """The names of the fields that an object at a place may have; empty if any name is allowed."""
    shape = _shape_of(model)
    for part in path:
        if shape is None:
            return ()
        if isinstance(part, int):
            shape = shape.items
        else:
            shape = shape.any_name if shape.fields is None else shape.fields.get(part)
    return () if shape is None or shape.fields is None else shape.fields


@functools.cache
def _shape_of(model: type) -> _Shape | None:
    schema = adapter(model).json_schema()
    return _shape(schema, schema.get("$defs", {}))


def _shape(schema: Mapping[str, Any], defined: Mapping[str, Any]) -> _Shape | None:
    """Raises RecursionError for a model that contains itself: none of ours does."""
    if "$ref" in schema:
        return _shape(defined[schema["$ref"].rpartition("/")[2]], defined)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices is not None:
        return _either([_shape(choice, defined) for choice in choices])
    match schema.get("type"):
        case "object":
            return _of_object(schema, defined)
        case "array" if "prefixItems" not in schema:
            # In a list of fixed length, only that many items are validated.
            items, most = _shape(schema["items"], defined), schema.get("maxItems")
            return _Shape(None, None, None, items, most) if items or most is not None else None
    return None


def _of_object(schema: Mapping[str, Any], defined: Mapping[str, Any]) -> _Shape | None:
    if "properties" in schema and schema.get("additionalProperties") is False:
        fields = {name: _shape(field, defined) for name, field in schema["properties"].items()}
        return _Shape(fields, None, None, None, None)
    members = schema.get("additionalProperties")
    any_name = _shape(members, defined) if isinstance(members, dict) else None
    most = schema.get("maxProperties")
    return _Shape(None, any_name, most, None, None) if any_name or most is not None else None


def _either(shapes: list[_Shape | None]) -> _Shape | None:
    """One shape for an object, a list or neither: our unions have no others. If there are two of a kind,
    validation decides which one is meant."""
    known = [shape for shape in shapes if shape is not None]
    objects = [s for s in known if s.fields is not None or s.any_name or s.most_members is not None]
    lists = [s for s in known if s not in objects]
    if len(objects) > 1 or len(lists) > 1 or not known:
        return None
    table = objects[0] if objects else _Shape(None, None, None, None, None)
    row = lists[0] if lists else _Shape(None, None, None, None, None)
    return _Shape(table.fields, table.any_name, table.most_members, row.items, row.most_items)

"""Label table: the names of labels, in a JSON file or in the table that TotalSegmentator embeds in a label
map.

{"1": "heart", "2": "aorta"}        label to name
{"heart": 1, "aorta": 2}            name to label
{"labels": {...}, ...}              one of these inside a dataset description
"""

import json
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from anatomy.errors import Companion, ReadError
from anatomy.names.background import names_background
from anatomy.readers.label_values import MAX_LABEL, whole_number
from anatomy.readers.size_limits import (
    MAX_NAME_LENGTH,
    MAX_NAMES_BYTES,
    check_file_size,
    check_structure_count,
)

_MAX_LABEL_DIGITS = 20
"""Characters of a label as a number: far more than the largest label has."""

_REMEDY = 'Give one JSON object such as {"1": "heart", "2": "aorta"}, with each label and name once.'
_GIVE_NAMES = ("Give the names by ", Companion.NAMES, ".")


def read_names(path: Path) -> dict[int, str]:
    """The names table of a JSON file, without label 0, the background. Raises ReadError."""
    if not path.is_file():
        raise ReadError(path.name, "there is no such file", "Give the JSON file that names the labels.")
    check_file_size(path, MAX_NAMES_BYTES)
    try:
        table = json.loads(path.read_bytes(), object_pairs_hook=_no_repeats, parse_int=_number)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise ReadError(path.name, "it is not JSON", _REMEDY) from None
    except _Repeated as error:
        raise ReadError(path.name, f"it contains the key {error} twice", _REMEDY) from None
    if isinstance(table, dict) and isinstance(table.get("labels"), dict):
        table = table["labels"]
    if not isinstance(table, dict):
        raise ReadError(path.name, "it is not one JSON object", _REMEDY)
    return _checked(((_pair(key, value, path.name)) for key, value in table.items()), path.name)


def embedded_names(extensions: Iterable[bytes], file: str) -> dict[int, str] | None:
    """The names in all XML LabelTables in a NIfTI header's extensions, whatever the extension code.

    TotalSegmentator uses code 0, Connectome Workbench 30; tables with the same content count once. None if
    there is no table. Raises ReadError for a damaged table, and for tables that contradict each other.
    """
    pairs: dict[tuple[int, str], None] = {}
    tables = [content for content in extensions if b"<LabelTable" in content]
    for content in tables:
        pairs.update(dict.fromkeys(_pair(key, name, file) for key, name in _labels(content, file)))
    return _checked(pairs, file) if tables else None


def _labels(content: bytes, file: str) -> Iterable[tuple[str, str]]:
    """Key and text of each Label element in one XML document."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ReadError(file, "its embedded label table declares entities", _GIVE_NAMES)
    try:
        root = ElementTree.fromstring(content.strip(b"\0 \r\n\t"))
    except (ElementTree.ParseError, LookupError, ValueError):  # no XML, or in an unknown encoding
        raise ReadError(file, "its embedded label table is damaged", _GIVE_NAMES) from None
    for label in root.iter("Label"):
        yield label.get("Key", ""), "".join(label.itertext())


class _Repeated(ValueError):
    pass


def _number(digits: str) -> int | float:
    """A whole number of JSON. Python refuses integers of more than 4,300 digits; a number too long for a
    label is returned as a float, which is no label."""
    return int(digits) if len(digits) <= _MAX_LABEL_DIGITS else float(digits)


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table: dict[str, object] = {}
    for key, value in pairs:
        if key in table:
            raise _Repeated(repr(key))
        table[key] = value
    return table


def _pair(key: str, value: object, file: str) -> tuple[int, str]:
    """One entry, in either order of label and name."""
    number = whole_number(key)
    if isinstance(value, str) and number is not None:
        label, name = number, value
    elif isinstance(value, int) and not isinstance(value, bool):
        label, name = value, key
    else:
        raise ReadError(file, f"the entry {key!r}: {value!r} is not a label and a name", _REMEDY)
    if not 0 <= label <= MAX_LABEL:
        raise ReadError(file, f"the label {label} is out of range", f"Labels are 0 to {MAX_LABEL}.")
    return label, name.strip()


def _checked(pairs: Iterable[tuple[int, str]], file: str) -> dict[int, str]:
    table: dict[int, str] = {}
    names: set[str] = set()
    for label, name in pairs:
        if label == 0:
            _refuse_structure_at_0(name, file)
            continue
        if not name or not name.isprintable() or len(name) > MAX_NAME_LENGTH:
            raise ReadError(
                file, f"label {label} has no printable name of up to {MAX_NAME_LENGTH} characters", _REMEDY
            )
        if label in table:
            raise ReadError(file, f"label {label} is named twice", _REMEDY)
        if name in names:
            raise ReadError(file, f"the name {name!r} stands for two labels", _REMEDY)
        table[label] = name
        names.add(name)
    if not table:
        raise ReadError(file, "it names no label", _REMEDY)
    check_structure_count(file, len(table))
    return table


def _refuse_structure_at_0(name: str, file: str) -> None:
    """Raise ReadError for a table that counts from 0: it would give each organ its neighbour's name."""
    if not names_background(name):
        raise ReadError(
            file,
            f"it names label 0 {name!r}, but 0 is background: is the table counted from 0?",
            "Number the labels as in the voxels, and leave 0 out or call it background.",
        )

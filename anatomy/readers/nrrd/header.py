r"""NRRD header: its fields and key/value pairs, as UTF-8 text and as numbers.

NRRD0004                                                    https://teem.sourceforge.net/nrrd/format.html
# a comment
sizes: 12 10 8                                              field: description
space directions: none (0.8,0,0) (0,0.9,0) (0,0,5)          one for each axis; a layer axis has none
Segment0_Name:=node_4R                                      key:=value, where \n and \\ are escapes
                                                            an empty line; then the data
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.errors import ReadError
from anatomy.readers.label_values import whole_number
from anatomy.readers.size_limits import MAX_HEADER_BYTES

_END = re.compile(rb"\r?\n\r?\n")
_MAGIC = re.compile("NRRD000[1-5]")
_VECTOR = re.compile(r"\(([^()]*)\)|none", re.IGNORECASE)
_ESCAPE = re.compile(r"\\[n\\]")
_MAX_NUMBER_LENGTH = 64
"""Characters of a real number in text: more than the seventeen digits of any writer need."""


@dataclass(frozen=True)
class NrrdHeader:
    """One header. `fields` by name in lower case, `pairs` by key as written; `size` counts its bytes."""

    file: str
    fields: Mapping[str, str]
    pairs: Mapping[str, str]
    size: int

    def field(self, name: str) -> str:
        """The text of a field. Raises ReadError if there is no such field."""
        if name not in self.fields:
            raise ReadError(self.file, f"its header has no {name!r}", "Save it again as a segmentation.")
        return self.fields[name]

    def whole_numbers(self, name: str) -> tuple[int, ...]:
        """The whole numbers that a field lists. Raises ReadError for any other text."""
        return tuple(self._whole(text, name) for text in self.field(name).split())

    def whole_number(self, key: str, default: int) -> int:
        """The whole number of a key, or `default`. Raises ReadError for any other text."""
        return self._whole(self.pairs[key], key) if key in self.pairs else default

    def vectors(self, name: str) -> tuple[Float[np.ndarray, "n"] | None, ...]:
        """The vectors that a field lists; None for "none" and for a vector of NaN. Raises ReadError."""
        text = self.field(name)
        if _VECTOR.sub("", text).strip():
            raise damaged_header(self.file, f"{name}: {text}")
        vectors = (
            None if v.group(1) is None else self._numbers(v.group(1), name) for v in _VECTOR.finditer(text)
        )
        return tuple(None if v is None or np.isnan(v).all() else v for v in vectors)

    def _numbers(self, text: str, name: str) -> Float[np.ndarray, "n"]:
        parts = text.split(",")
        try:
            if max(map(len, parts)) > _MAX_NUMBER_LENGTH:
                raise ValueError
            return np.array([float(part) for part in parts])
        except ValueError:
            raise damaged_header(self.file, f"{name}: ({text})") from None

    def _whole(self, text: str, name: str) -> int:
        number = whole_number(text)
        if number is None:
            raise ReadError(
                self.file,
                f"its header has {name} = {text!r}, which is damaged",
                "It must be whole numbers from 0.",
            )
        return number


def damaged_header(file: str, what: str) -> ReadError:
    """The error for a header with impossible content."""
    return ReadError(file, f"its header is damaged ({what})", "Save the file again.")


def parse_header(start: bytes, file: str) -> NrrdHeader:
    """The header in a file's first bytes, of which at most MAX_HEADER_BYTES are given. Raises ReadError."""
    end = _END.search(start)
    if not start.startswith(b"NRRD") or end is None:
        where = "" if len(start) < MAX_HEADER_BYTES else f" of up to {MAX_HEADER_BYTES} bytes"
        raise ReadError(
            file, f"it does not begin with a NRRD header{where}", "Give a .seg.nrrd file, copied whole."
        )
    # Bytes that are not UTF-8 become surrogates, which are not allowed in names.
    magic, *lines = start[: end.start()].decode("utf-8", "surrogateescape").split("\n")
    if not _MAGIC.fullmatch(magic.strip()):
        raise damaged_header(file, f"it begins with {magic!r}")
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for line in lines:
        if line.startswith("#") or not line.strip():
            continue
        name, colon, text = line.partition(":")
        if not colon:
            raise damaged_header(file, f"the line {line!r}")
        into, name = (pairs, name) if text.startswith("=") else (fields, name.strip().lower())
        text = _ESCAPE.sub(_unescaped, text[1:]) if into is pairs else text
        if into.setdefault(name, text.strip()) != text.strip():
            raise damaged_header(file, f"it contains {name!r} twice")
    return NrrdHeader(file, fields, pairs, end.end())


def _unescaped(escape: re.Match[str]) -> str:
    return "\n" if escape.group() == "\\n" else "\\"

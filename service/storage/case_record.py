"""Case record: the record of a stored case as strict models, and whether it matches its id.

record_sha256   sha256 of the same text without this line; records of earlier versions have none
id              sha256 of the rest without `description`
builtin ...     what the case consists of (service.operations.case_files)
description     what was read from it on arrival; a study's cases have none
"""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from anatomy.structures import Role
from service.operations.case_files import MESH_AXES, identify
from service.schemas.json.sealed import seal_of, sealed
from service.schemas.json.strict import Strict
from service.schemas.plan.fields import Sha256
from service.schemas.plan.model import InputModel

APART = ("id", "description")
"""Fields that the id does not cover."""

_SEAL = "record_sha256"

MAX_RECORD_BYTES = 100_000_000
"""Longer than the record of a thousand files and a hundred thousand structures [U]."""


class _File(Strict):
    part: Literal["file", "names", "target", "ct"]
    place: str
    sha256: Sha256


class _Grid(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]


class _Structure(Strict):
    name: str
    role: str
    known_name: bool
    volume_mm3: float


class _Description(BaseModel):
    """What is shown of a case. Further fields are allowed."""

    model_config = ConfigDict(extra="allow", strict=True)

    grid: _Grid
    structures: tuple[_Structure, ...]
    targets: tuple[str, ...]
    notes: tuple[str, ...]
    inputs: tuple[InputModel, ...]


class _Record(Strict):
    record_sha256: Sha256 | None = None
    id: Sha256
    builtin: str | None
    software: str | None
    folder: bool
    files: tuple[_File, ...]
    mesh_axes: Literal["lps", "ras"] | None = None
    description: _Description | None = None


assert MESH_AXES in _Record.model_fields


def treated(described: dict[str, Any]) -> list[str]:
    """The targets that a description gives if a request names none. Older records list only targets given as
    files; for these, without such files, the structures whose role is target."""
    by_role = (s["name"] for s in described["structures"] if s["role"] == Role.TARGET)
    return list(described["targets"]) or list(by_role)


def answered(described: dict[str, Any]) -> dict[str, Any]:
    """A record's description as it is answered, whichever version wrote it."""
    grid = {name: described["grid"][name] for name in _Grid.model_fields}
    return described | {"grid": grid, "targets": treated(described)}


def write_record(record: dict[str, Any]) -> bytes:
    """The text of a record."""
    return sealed(_SEAL, json.dumps(record, ensure_ascii=False, indent=1).encode())


def is_sealed(text: bytes) -> bool:
    """Whether a record's text contains its own sha256. For the parts that the id does not cover, nothing else
    shows whether they are what was written."""
    return seal_of(_SEAL, text) is not None


def read_record(text: bytes, case_id: str) -> dict[str, Any] | None:
    """The record of the case with that id, as JSON values; None if the text is that of another case, or
    damaged.

    A record of an earlier version has no hash: whether its description is whole is not known.
    """
    try:
        record = json.loads(text)
        model = _Record.model_validate_json(text)
        if record.pop(_SEAL, None) != seal_of(_SEAL, text):
            return None
        content = {key: value for key, value in record.items() if key not in APART}
        matches = model.id == case_id == identify(content)
    except (ValidationError, ValueError, RecursionError):
        return None
    opens = model.builtin is not None or model.folder or any(file.part == "file" for file in model.files)
    return record if matches and opens else None

"""Case summary: how a list shows a case: its name, and what was read from it when it arrived."""

from pathlib import PurePosixPath
from typing import Any

from pydantic import ConfigDict, JsonValue
from pydantic.dataclasses import dataclass

from planner.records.bounds import Count
from service.schemas.json.records import STRICT
from service.storage.case_record import treated

_EXAMPLE: dict[str, JsonValue] = {
    "name": "ct.nii.gz",
    "builtin": False,
    "files": 1,
    "structures": 61,
    "targets": ["node_4R"],
}


@dataclass(frozen=True, config=ConfigDict(**STRICT, json_schema_extra={"examples": [_EXAMPLE]}))
class CaseSummary:
    """A case in a list. `name` is that of the built-in, or of the first segmented file of `files`;
    `structures` is their number, and `targets` are the names of those that are treated if a request names
    none."""

    name: str
    builtin: bool
    files: Count
    structures: Count
    targets: tuple[str, ...]


def case_summary_of(record: dict[str, Any]) -> CaseSummary | None:
    """The summary of a case from its record; None if the record does not say what was read."""
    described = record.get("description")
    files = [PurePosixPath(file["place"]).name for file in record["files"] if file["part"] == "file"]
    name = record["builtin"] or next(iter(files), None)
    if described is None or name is None:
        return None
    structures = described["structures"]
    return CaseSummary(
        name=name,
        builtin=record["builtin"] is not None,
        files=len(files),
        structures=len(structures),
        targets=tuple(treated(described)),
    )

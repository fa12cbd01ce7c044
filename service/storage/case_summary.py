"""Case summary: by what a case is known in a list: its name, and what was read in it when it came."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from service.storage.case_record import treated


@dataclass(frozen=True)
class CaseSummary:
    """A case in a list. `name` is the built-in's, or that of the first of the `files` that were segmented;
    `structures` counts them, and `targets` names those that are treated where a request names none."""

    name: str
    builtin: bool
    files: int
    structures: int
    targets: tuple[str, ...]


def case_summary_of(record: dict[str, Any]) -> CaseSummary | None:
    """The summary of a case by its record; None where the record does not say what was read."""
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

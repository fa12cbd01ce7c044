"""Manifest: what a backup contains, as strict models, with a hash of its own."""

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from anatomy.errors import AnatomyError
from service.host.atomic_write import write_atomically
from service.operations.case_files import sha256_of
from service.schemas.json.strict import Strict
from service.schemas.plan.fields import Sha256

SCHEMA: Final = "seedpath.backup/1"
MANIFEST, RECORDS, SUMS = "manifest.json", "records.sqlite", "SHA256"

ByteCount = Annotated[int, Field(ge=0)]


class BackupError(AnatomyError):
    """A folder of backups, or a backup, that cannot be used."""


class CopiedFile(Strict):
    """A file of the store: its place in the data folder, its content, and how to see that it has not changed
    since it was copied."""

    place: str
    sha256: Sha256
    bytes: ByteCount
    mtime_ns: int
    inode: int


class ItemId(Strict):
    """A case or a result: `kind` is "cases", or a ResultKind."""

    kind: str
    id: Sha256


class Manifest(Strict):
    """A backup. `removed_meanwhile` were removed while it was made: neither their rows nor their files are in
    it. `damaged` were not whole in the store when they were copied: their rows are in it unchanged, and those
    of their files that were there. Times are RFC 3339, UTC."""

    schema_name: Literal["seedpath.backup/1"]
    software: str
    database_revision: str
    started: str
    ended: str
    records_sha256: Sha256
    files: tuple[CopiedFile, ...]
    removed_meanwhile: tuple[ItemId, ...]
    damaged: tuple[ItemId, ...]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it next to the records that it describes, with the hashes of both. Raises OSError."""
    text = manifest.model_dump_json(indent=1).encode()
    write_atomically(folder / MANIFEST, text, mode=0o600)
    write_atomically(folder / SUMS, _sums(text, manifest), mode=0o600)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup, checked against its hash, and its records against theirs.

    Raises BackupError, which names the file, and OSError.
    """
    text, sums = (folder / MANIFEST).read_bytes(), (folder / SUMS).read_bytes()
    if not sums.startswith(_sum(text, MANIFEST)):
        raise damaged(folder / MANIFEST)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BackupError(
            f"{folder / MANIFEST}",
            f"it is not a manifest of {SCHEMA} ({error.error_count()} faults)",
            "Restore it with the version of this software that made it.",
        ) from None
    if sums != _sums(text, manifest):
        raise damaged(folder / SUMS)
    if sha256_of(folder / RECORDS) != manifest.records_sha256:
        raise damaged(folder / RECORDS)
    return manifest


def _sums(text: bytes, manifest: Manifest) -> bytes:
    return _sum(text, MANIFEST) + f"{manifest.records_sha256}  {RECORDS}\n".encode()


def _sum(text: bytes, name: str) -> bytes:
    """As `sha256sum` writes it."""
    return f"{hashlib.sha256(text).hexdigest()}  {name}\n".encode()


def damaged(file: Path) -> BackupError:
    """The error for a file of a backup that is not what was written."""
    return BackupError(
        f"{file}",
        "it is damaged: its sha256 is another than when it was written",
        "Take another backup (--backup), or another copy of this folder.",
    )

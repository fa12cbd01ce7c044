"""Store: cases, plans and results as files named by their sha256, in one folder.

    data_dir/cases/{id}/case.json     the case's record; id = sha256 of the list of its files
                        file/         the label map or surface, or
                        input/        the masks or surfaces, if they are several
                        names/ ct/
                        target/1/     each target, by the number of its part in the form, from 0
             plans/{id}.json          id = plan_sha256
             access/{id}.json         the skin access map of the plan with that id
             results/evaluations/{id}.json, results/replans/{id}.json    id = sha256 of the text
             aside/                   files being written or removed; never read
             marks/                   locks of processes with files in aside/ (service.host.process_lock)

Each item is there completely or not at all: it is created in aside/ and renamed into place. Every file is
compared with its sha256 before it is answered (`service.host.digests` says what that guarantees), the files
of a case when the case is opened (`service.operations.case`). Records and maps contain their own sha256
(`service.schemas.json.sealed`).
"""

import contextlib
import errno
import logging
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from service.host.atomic_write import flush, remove, write_atomically
from service.host.damaged_file import (
    CASE_REMEDY,
    MISSING,
    OTHER,
    RESULT_REMEDY,
    DamagedFile,
    refuse_damaged,
    whole_text,
)
from service.host.disk_errors import FULL
from service.host.process_lock import ProcessLock, is_alive, stale_locks
from service.operations.case import Case
from service.operations.case_files import kept_case_in
from service.schemas.plan.followup_file import MAX_RESULT_BYTES
from service.schemas.result_kinds import CASE, ResultKind
from service.schemas.result_text import JobResult, is_text_of
from service.schemas.skin_access import MAX_MAP_BYTES, is_map_of
from service.storage.case_record import MAX_RECORD_BYTES, answered, is_sealed, read_record, write_record
from service.storage.errors import DamagedInStore, NoAccessMap, NotHeld, StorageError, TooLarge

ABANDONED_S = 24 * 3600.0
"""Files in aside/ that are older than this were left by a service that died."""

TRIED_BYTES = 4096
"""More than file systems keep in a file's own record, without using extra space."""

RECORD = "case.json"

PRIVATE = 0o600
"""The mode of every file: patients' anatomy."""

_log = logging.getLogger("seedpath.store")

_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredCase:
    """A case in the store: its record, as JSON values, where its input is, and whether the record contains
    its own sha256; records of earlier versions do not."""

    record: dict[str, Any]
    case: Case
    folder: Path
    is_sealed: bool = True

    @property
    def description(self) -> dict[str, Any]:
        """What was read in it on arrival. Raises DamagedInStore where its record lacks it."""
        if self.record.get("description") is None:
            place = f"cases/{self.record['id']}/{RECORD}"
            raise _damaged_in_store(DamagedFile(place, "it lacks what was read in the case", CASE_REMEDY))
        described: dict[str, Any] = self.record["description"]
        return answered(described)


class Store:
    """Cases, plans and results under one folder. Raises OSError if the disk does.

    Creates its folders; with `make` false it only reads.
    """

    def __init__(self, folder: Path, *, make: bool = True) -> None:
        self._folder = folder
        self._cases, self._aside = folder / "cases", folder / "aside"
        self._kept = {
            ResultKind.PLAN: folder / "plans",
            ResultKind.EVALUATION: folder / "results" / "evaluations",
            ResultKind.REPLAN: folder / "results" / "replans",
        }
        self._access = folder / "access"
        self._marks = folder / "marks"
        places = (folder, self._cases, self._aside, self._marks, self._access, *self._kept.values())
        if make:
            folder.parent.mkdir(parents=True, exist_ok=True)
        for place in places if make else ():
            # Patients' anatomy: only the owner may read it.
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._mark = ProcessLock(self._marks)

    @contextlib.contextmanager
    def aside(self) -> Iterator[Path]:
        """A new folder in which a case is created; removed at the end unless `add_case` took it."""
        folder = Path(tempfile.mkdtemp(dir=self._aside, prefix=f"{self._mark.name}."))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add_case(self, folder: Path, record: dict[str, Any]) -> StoredCase:
        """Add a case that was created aside, with its record, which contains its id. An existing whole case
        stays as it is; a damaged one is replaced.

        The content of its files must have been flushed; the names of files are flushed here.
        """
        existing = self._with_whole_files(record["id"])
        if existing is not None and existing.is_sealed:
            return existing
        if existing is not None:
            # The record has no sha256 of itself. The files stay in place, because others read them.
            write_atomically(existing.folder / RECORD, write_record(record), PRIVATE)
            return self.case(record["id"])
        # From here the folder belongs to this call: the process that created it may remove it meanwhile.
        aside = folder.with_name(f"{folder.name}.taken")
        folder.rename(aside)
        try:
            for inside in aside.rglob("*"):
                if inside.is_dir():
                    flush(inside)
            write_atomically(aside / RECORD, write_record(record), PRIVATE)
            self._place(aside, record["id"])
            flush(self._cases)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return self.case(record["id"])

    def _place(self, aside: Path, case_id: str) -> None:
        try:
            aside.rename(self._cases / case_id)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            if self.is_whole(case_id):
                # A faster process added the same content.
                shutil.rmtree(aside, ignore_errors=True)
                return
            # The existing folder is partly removed, or damaged.
            damaged = self._aside_of(case_id)
            with contextlib.suppress(FileNotFoundError):
                (self._cases / case_id).rename(damaged)
            aside.rename(self._cases / case_id)
            remove(damaged)

    def _with_whole_files(self, case_id: str) -> StoredCase | None:
        """The case, if it is there and all its files are as they were written. Raises OSError."""
        if not self.is_there(case_id):
            return None
        try:
            stored = self.case(case_id)
            refuse_damaged(stored.case.kept)
        except (StorageError, DamagedFile):
            return None
        return stored

    def _aside_of(self, case_id: str) -> Path:
        """A place aside for a case that is removed."""
        return self._aside / f"{self._mark.name}.{case_id}.{uuid.uuid4().hex}"

    def things(self) -> list[tuple[str, str]]:
        """Kind and id of everything that is there, damaged or not."""
        items = [(CASE, id) for id in self.case_ids()]
        items += [(str(kind), id) for kind in ResultKind for id in self.result_ids(kind)]
        return [item for item in items if self.has(*item)]

    def has(self, kind: str, id: str) -> bool:
        """Whether a case or a result is there, damaged or not."""
        return self.is_there(id) if kind == CASE else self.is_result_there(ResultKind(kind), id)

    def case_ids(self) -> list[str]:
        """The ids of all cases that are there, damaged or not."""
        return sorted(folder.name for folder in self._cases.iterdir() if is_id(folder.name))

    def result_ids(self, kind: ResultKind) -> list[str]:
        """The ids of all results of a kind, and of all maps of plans, that are there, damaged or not."""
        folders = [self._kept[kind], *([self._access] if kind is ResultKind.PLAN else [])]
        return sorted({f.stem for folder in folders for f in folder.glob("*.json") if is_id(f.stem)})

    def written_s(self, kind: str, id: str) -> float:
        """When a case or a result was written, in seconds since 1970. Raises OSError."""
        return (self._folder / self.place(kind, id)).stat().st_mtime

    def place_of_map(self, plan_id: str) -> str:
        """Place of a plan's map in the data folder."""
        return str(self._map(plan_id).relative_to(self._folder))

    def place(self, kind: str, id: str) -> str:
        """Place in the data folder of a case's record, or of a result."""
        file = self._cases / id / RECORD if kind == CASE else self._file(ResultKind(kind), id)
        return str(file.relative_to(self._folder))

    def case_bytes(self, case_id: str) -> int:
        """The bytes of a case's files; 0 where they are not there."""
        return bytes_in(self._cases / case_id)

    def result_bytes(self, kind: ResultKind, result_id: str) -> int:
        """The bytes of a result, with a plan's map; 0 where it is not there."""
        return sum(_file_bytes(file) for file in self._files(kind, result_id))

    def is_there(self, case_id: str) -> bool:
        """Whether the case is there, damaged or not: when a case is removed, its record goes first."""
        return is_id(case_id) and os.path.lexists(self._cases / case_id / RECORD)

    def is_whole(self, case_id: str) -> bool:
        """Whether the case is there, with its record and all its files as they were written, as far as their
        own hashes show it. A record without its sha256 does not count: it must be written again. Raises
        OSError."""
        stored = self._with_whole_files(case_id)
        return stored is not None and stored.is_sealed

    def case(self, case_id: str) -> StoredCase:
        """The case of an id. Raises NotHeld for what is no id, DamagedInStore, and OSError."""
        if not is_id(case_id):
            raise NotHeld(CASE)
        folder, place = self._cases / case_id, f"cases/{case_id}"
        # It is small, so its hash is checked each time.
        text = self._text(folder / RECORD, CASE_REMEDY, lambda text: True, MAX_RECORD_BYTES)
        record = read_record(text, case_id)
        if record is None:
            raise _damaged_in_store(DamagedFile(f"{place}/{RECORD}", OTHER, CASE_REMEDY))
        return StoredCase(record, kept_case_in(folder, place, record), folder, is_sealed(text))

    def remove_case(self, case_id: str) -> None:
        """Remove a case's files, if they are there. Needs no free disk space."""
        folder = self._cases / case_id
        try:
            removed = self._aside_of(case_id)
            folder.rename(removed)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in FULL:
                raise
            # In place, record first, so that what remains after a kill is not a case.
            remove(folder / RECORD)
            removed = folder
        remove(removed)

    def keep(self, result: JobResult) -> None:
        """Keep what was made, and the plan within it first: who has the one can ask for the other.

        Where one cannot be written, those that were not there before are gone again. A process that is killed
        in between leaves some, which nobody holds. Raises TooLarge for what is larger than is read again.
        """
        files = [
            (self._file(part.kind, part.id), part.text) for part in (result.plan, result) if part is not None
        ]
        files += [
            (self._map(part.id), part.access)
            for part in (result.plan, result)
            if part is not None and part.access is not None
        ]
        _refuse_unreadable(files, self._access)
        added = [file for file, _ in files if not file.exists()]
        try:
            for file, text in files:
                if file.is_dir():
                    # Not created by us: a file cannot replace a folder by itself.
                    remove(file)
                write_atomically(file, text, PRIVATE)
        except OSError:
            for file in added:
                file.unlink(missing_ok=True)
            raise

    def remove(self, kind: ResultKind, result_id: str) -> None:
        """Remove a result, if it is there; not the plan in it. A map is removed before its plan."""
        for file in reversed(self._files(kind, result_id)):
            remove(file)

    def kept(self, kind: ResultKind, result_id: str) -> bytes:
        """The text of what was made. Raises NotHeld for what is no id, DamagedInStore, and OSError."""
        if _ID.fullmatch(result_id) is None:
            raise NotHeld(kind)
        return self._text(
            self._file(kind, result_id),
            RESULT_REMEDY,
            lambda text: is_text_of(kind, result_id, text),
            MAX_RESULT_BYTES,
        )

    def is_result_there(self, kind: ResultKind, result_id: str) -> bool:
        """Whether there is a file of that result, damaged or not."""
        return os.path.lexists(self._file(kind, result_id))

    def has_map(self, plan_id: str) -> bool:
        """Whether there is a file for the map of that plan, damaged or not."""
        return os.path.lexists(self._map(plan_id))

    def is_kept(self, kind: ResultKind, result_id: str, kept_bytes: int) -> bool:
        """Whether what was made is there, and what was written, with a plan's map; both took `kept_bytes`, 0
        where that is not known. Raises OSError."""
        try:
            self.kept(kind, result_id)
            if kind is ResultKind.PLAN:
                self.access(result_id, kept_bytes)
        except DamagedInStore:
            return False
        except StorageError:
            return True
        return True

    def access(self, plan_id: str, kept_bytes: int) -> bytes:
        """The skin access map of a plan that is there. Plan and map took `kept_bytes`, 0 where that is not
        known: where the plan alone takes less, there was a map.

        Raises NoAccessMap, DamagedInStore where it is damaged or lost, and OSError.
        """
        if not self.has_map(plan_id):
            if len(self.kept(ResultKind.PLAN, plan_id)) < kept_bytes:
                raise _damaged_in_store(DamagedFile(self.place_of_map(plan_id), MISSING, RESULT_REMEDY))
            raise NoAccessMap
        is_map = partial(is_map_of, plan_id)
        return self._text(self._map(plan_id), RESULT_REMEDY, is_map, MAX_MAP_BYTES)

    def _text(self, file: Path, remedy: str, is_whole: Callable[[bytes], bool], most_bytes: int) -> bytes:
        try:
            return whole_text(file, str(file.relative_to(self._folder)), remedy, is_whole, most_bytes)
        except DamagedFile as error:
            raise _damaged_in_store(error) from None

    def now_s(self) -> float:
        """The time by the clock of the disk, in seconds since 1970. That clock dates files, whoever writes
        them, and another machine's clock may differ by days."""
        with tempfile.NamedTemporaryFile(dir=self._aside) as file:
            return os.fstat(file.fileno()).st_mtime

    def sweep_aside(self) -> None:
        """Remove old files in aside/ of processes that no longer run, and half-written files."""
        before_s = self.now_s() - ABANDONED_S
        for path in self._aside.iterdir():
            name = path.name.partition(".")[0]
            if _is_older(path, before_s) and not is_alive(self._marks, name):
                remove(path)
        for folder in (*self._kept.values(), self._access):
            # Files that write_atomically has not finished are not results.
            for half in folder.glob(".*.json.*"):
                if _is_older(half, before_s):
                    remove(half)
        for lock in stale_locks(self._marks, before_s):
            lock.unlink(missing_ok=True)

    def refuse_writes_that_fail(self) -> None:
        """Raises OSError if nothing can be written now."""
        with self.aside() as folder:
            write_atomically(folder / "tried", b"tried", PRIVATE)

    def try_to_write(self) -> None:
        """Raises OSError if nothing can be written now, as far as a disk shows that without a flush."""
        with tempfile.TemporaryFile(dir=self._aside, buffering=0) as file:
            file.write(bytes(TRIED_BYTES))

    def refuse_removals_that_fail(self) -> None:
        """Raises OSError if nothing can be removed now. On a full disk removal works."""
        try:
            self.refuse_writes_that_fail()
        except OSError as error:
            if error.errno not in FULL:
                raise

    def _file(self, kind: ResultKind, result_id: str) -> Path:
        return self._kept[kind] / f"{result_id}.json"

    def _files(self, kind: ResultKind, result_id: str) -> list[Path]:
        """A result's file, and a plan's map."""
        return [self._file(kind, result_id), *([self._map(result_id)] if kind is ResultKind.PLAN else [])]

    def _map(self, plan_id: str) -> Path:
        return self._access / f"{plan_id}.json"


def _refuse_unreadable(files: list[tuple[Path, bytes]], maps: Path) -> None:
    """Raises TooLarge for what would be said to be damaged when it is read."""
    for file, text in files:
        most = MAX_MAP_BYTES if file.parent == maps else MAX_RESULT_BYTES
        if len(text) > most:
            raise TooLarge(len(text), most)


def bytes_in(folder: Path) -> int:
    """The bytes of all files in a folder; 0 where there is none."""
    return sum(_file_bytes(file) for file in folder.rglob("*") if not file.is_dir())


def _file_bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _is_older(path: Path, before_s: float) -> bool:
    """Whether it was last written before that time; False if it disappears meanwhile."""
    try:
        return path.stat().st_mtime < before_s
    except FileNotFoundError:
        return False


def is_id(text: str) -> bool:
    """Whether a text can be the id of a case or a result: databases refuse some other texts."""
    return _ID.fullmatch(text) is not None


def _damaged_in_store(error: DamagedFile) -> DamagedInStore:
    """The damage as an error of the store, once the log has it too."""
    _log.error("%s", error)
    return DamagedInStore(error.field, error.value, error.remedy)


def remedy_of(kind: str) -> str:
    """The remedy for a damaged case or result."""
    return CASE_REMEDY if kind == CASE else RESULT_REMEDY

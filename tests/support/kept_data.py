"""A service's records and files without a server, filled as a service fills them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, select

from planner.records.plan import SkinAccess
from service.host.atomic_write import flush
from service.jobs.job_table import JobTable
from service.maintenance.backup.file_places import places_of
from service.maintenance.backup.make import BackupResult, back_up
from service.maintenance.backup.rows import needed
from service.operations.case_files import StoredFile, content_of, identify
from service.problems import Report
from service.schemas.result_kinds import ResultKind
from service.schemas.result_text import JobResult
from service.schemas.skin_access import write_access
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate
from service.storage.database.tables import metadata
from service.storage.file_store import Store
from service.storage.job import NewJob
from service.storage.library import Library
from service.storage.quota import Quota

LOST = Report("failed", "It was lost.")


@dataclass
class Kept:
    """A service's records and files, without a server."""

    data_dir: Path
    url: str
    database: Database

    def __post_init__(self) -> None:
        migrate(self.database)
        self.store = Store(self.data_dir)
        self.library = Library(self.database, self.store, Quota(1 << 40))
        self.job_table = JobTable(self.database, 100, 100, 100)

    def add_case(self, name: str, owner: str = "ann") -> str:
        file = name.encode() * 1000
        files = [StoredFile("file", "file/a.nii", hashlib.sha256(file).hexdigest())]
        content = content_of(None, files, False)
        id = identify(content)
        with self.store.aside() as folder:
            (folder / "file").mkdir()
            (folder / "file" / "a.nii").write_bytes(file)
            flush(folder / "file" / "a.nii")
            self.library.add_case(owner, folder, {"id": id} | content)
        return id

    def add_plan(self, name: str, case_id: str, owner: str = "ann") -> str:
        """By a job, which is done."""
        text = json.dumps({"schema": "seedpath.plan/3", "name": name}, indent=1).encode()
        id = hashlib.sha256(text).hexdigest()
        # As plans are written: their own hash is their second line.
        first, _, rest = text.partition(b",\n")
        text = first + b',\n "plan_sha256": "' + id.encode() + b'",\n' + rest
        access = write_access(id, SkinAccess(np.zeros((1, 3)), np.zeros(1)))
        return self._done(JobResult(ResultKind.PLAN, id, text, access=access, summary="{}"), case_id, owner)

    def add_evaluation(self, name: str, case_id: str) -> str:
        text = json.dumps({"evaluation": name}).encode()
        return self._done(
            JobResult(ResultKind.EVALUATION, hashlib.sha256(text).hexdigest(), text), case_id, "ann"
        )

    def order(self, name: str, case_id: str, owner: str = "ann") -> None:
        order = NewJob(name, owner, case_id, ResultKind.PLAN, "{}", None, key=name, fingerprint=name)
        self.job_table.accept(order)

    def _done(self, result: JobResult, case_id: str, owner: str) -> str:
        id = f"job{result.id[:8]}"
        self.job_table.accept(NewJob(id, owner, case_id, result.kind, "{}", None))
        job = self.job_table.begin(id, 3, LOST)
        assert job is not None and self.job_table.succeed(job, result, self.store.keep)
        return result.id

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """All that the records say of what is kept, and of jobs."""

        def all_of(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
            tables = (
                t for t in metadata.sorted_tables if t.name in ("holdings", "jobs", "job_events", "requests")
            )
            return {t.name: sorted(map(tuple, connection.execute(select(t))), key=str) for t in tables}

        return self.database.read(all_of)

    def files(self) -> dict[str, bytes]:
        """Every file that the rows need, by its place. Fails where one is not there."""
        things = self.database.read(needed)
        places = [one.place for kind, id in things for one in places_of(self.data_dir, kind, id)]
        return {place: (self.data_dir / place).read_bytes() for place in places}


Opened = Callable[[str, float], Database]


def filled(data: Kept) -> None:
    first, second = data.add_case("first"), data.add_case("second", "ben")
    data.add_case("first", "ben")
    for name in "ab":
        data.add_plan(name, first)
    data.add_plan("c", second, "ben")
    data.add_evaluation("a", first)
    data.order("open", first)


def backed_up(data: Kept, keep: int | None = None) -> BackupResult:
    return back_up(data.database, data.data_dir, data.data_dir.parent / "backups", keep)

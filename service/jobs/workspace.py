"""Workspace: the files, records and job table of one data folder, put together in one place.

The server, its health monitor, workers, studies and `seedpath store prune` all take them from here. They
differ in how long they wait for a database, and in how much one owner may keep and ask for.
"""

import sys
from dataclasses import dataclass

from service.jobs.job_table import JobTable
from service.settings import Settings
from service.storage.database.connection import Database
from service.storage.file_store import Store
from service.storage.library import Library
from service.storage.quota import Quota
from service.storage.reserved_space import records_room


@dataclass(frozen=True)
class Limits:
    """What one owner may keep [bytes], and how many jobs are open or remembered."""

    max_bytes_of_owner: int
    max_jobs: int
    max_jobs_of_owner: int
    max_finished_jobs: int


UNLIMITED = Limits(sys.maxsize, sys.maxsize, sys.maxsize, sys.maxsize)
"""For a study: machine and disk belong to whoever runs it, so all its plans wait at once and none is
forgotten."""


def limits_of(settings: Settings) -> Limits:
    """The limits that an installation chooses."""
    return Limits(
        settings.max_bytes_of_owner,
        settings.max_jobs,
        settings.max_jobs_of_owner,
        settings.max_finished_jobs,
    )


@dataclass(frozen=True, eq=False)
class Workspace:
    """What works on one data folder and its database."""

    settings: Settings
    database: Database
    store: Store
    quota: Quota
    library: Library
    job_table: JobTable


def workspace_of(
    settings: Settings,
    *,
    limits: Limits | None = None,
    patience_s: float | None = None,
    database: Database | None = None,
) -> Workspace:
    """The workspace of the settings' folder, whose folders are made; the database is asked nothing yet.

    `limits` are those of the settings unless others are given, as is `patience_s`, how long a database that
    is away is waited for. A database that is open already can be given. Raises OSError where the folder
    cannot be made, and AnatomyError for a URL that names no database.
    """
    limits = limits_of(settings) if limits is None else limits
    patience_s = settings.database_patience_s if patience_s is None else patience_s
    store = Store(settings.data_dir)
    if database is None:
        database = Database(settings.database, patience_s, records_room(settings))
    quota = Quota(limits.max_bytes_of_owner)
    return Workspace(
        settings=settings,
        database=database,
        store=store,
        quota=quota,
        library=Library(database, store, quota),
        job_table=JobTable(database, limits.max_jobs, limits.max_jobs_of_owner, limits.max_finished_jobs),
    )

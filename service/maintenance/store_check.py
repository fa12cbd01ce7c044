"""Store check: compares every stored file with its sha256, and files with rows. Changes nothing.

It may run while a server runs: a finding is checked again before it is reported, because things may have
changed meanwhile.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from service.host.damaged_file import MISSING, RESULT_REMEDY, DamagedFile, refuse_damaged
from service.schemas.result_kinds import CASE, ResultKind
from service.schemas.skin_access import is_sealed
from service.storage.database.connection import Database
from service.storage.errors import StorageError
from service.storage.file_store import RECORD, Store, remedy_of
from service.storage.kept_bytes import size_of
from service.storage.library import Library
from service.storage.ownership import everything, is_needed
from service.storage.quota import Quota

STRAY_REMEDY = "Move it out of the data folder."

NO_ROW = (
    "nobody holds it: its row is lost, or a server was killed when it wrote or removed it. `seedpath store "
    "rebuild --owner NAME --add` gives one owner all that nobody holds; where it is not missed, remove it."
)


def wrong_files(store: Store) -> Iterator[str]:
    """What is wrong with files: one sentence with the remedy for each. Raises OSError."""
    for case_id in store.case_ids():
        yield from _wrong_in_case(store, case_id)
    for kind in ResultKind:
        for id in store.result_ids(kind):
            yield from _wrong_in_result(store, kind, id)


def wrong_rows(store: Store, database: Database) -> Iterator[str]:
    """What does not match between rows and files, likewise. Raises OSError, and
    database.connection.Unavailable."""
    yield from _rows_without_files(store, database)
    yield from _lost_maps(store, database)
    for kind, id in Library(database, store, Quota(sys.maxsize)).orphans():
        place = f"{CASE}/{id}" if kind == CASE else store.place(kind, id)
        yield f"{place}: {NO_ROW}"


def unsealed(store: Store) -> int:
    """How many records of cases and maps of plans do not contain their own sha256, as those of earlier
    versions: their content cannot be checked. Raises OSError."""
    count = 0
    for case_id in store.case_ids():
        with suppress(StorageError):
            count += not store.case(case_id).is_sealed
    for id in store.result_ids(ResultKind.PLAN):
        with suppress(StorageError):
            count += store.has_map(id) and not is_sealed(store.access(id, 0))
    return count


def _wrong_in_case(store: Store, case_id: str) -> Iterator[str]:
    try:
        stored = store.case(case_id)
    except StorageError as error:
        # A case that was removed meanwhile is not damaged.
        if case_id in store.case_ids():
            yield str(error)
        return
    for file in stored.case.kept:
        try:
            refuse_damaged((file,))
        except DamagedFile as error:
            if store.is_there(case_id):
                yield str(error)
    expected = {stored.folder / RECORD, *(file.path for file in stored.case.kept)}
    for path in sorted(stored.folder.rglob("*")):
        # Anything in the place of a file of the case was reported as damage of that file.
        if expected.isdisjoint((path, *path.parents)) and not path.is_dir():
            place = path.relative_to(stored.folder)
            yield f"cases/{case_id}/{place}: it is none of the case's files. {STRAY_REMEDY}"


def _wrong_in_result(store: Store, kind: ResultKind, id: str) -> Iterator[str]:
    if not store.is_result_there(kind, id):
        yield f"{store.place_of_map(id)}: it is the map of a plan that is not there. {STRAY_REMEDY}"
        return
    reads = [partial(store.kept, kind, id)]
    if kind is ResultKind.PLAN and store.has_map(id):
        reads.append(partial(store.access, id, 0))
    for reader in reads:
        try:
            reader()
        except StorageError as error:
            # What was removed meanwhile is not damaged.
            if store.is_result_there(kind, id):
                yield str(error)


def _rows_without_files(store: Store, database: Database) -> Iterator[str]:
    cases = set(store.case_ids())
    for kind, id in sorted(database.read(everything)):
        # A case without a record was reported before.
        is_there = id in cases if kind == CASE else store.has(kind, id)
        if not is_there and database.read(partial(is_needed, kind=kind, id=id)):
            yield f"{store.place(kind, id)}: {MISSING}. {remedy_of(kind)}"


def _lost_maps(store: Store, database: Database) -> Iterator[str]:
    for id in store.result_ids(ResultKind.PLAN):
        kept_bytes = database.read(partial(size_of, kind=ResultKind.PLAN, id=id))
        # A damaged plan was reported before.
        is_less = store.result_bytes(ResultKind.PLAN, id) < kept_bytes and store.is_kept(
            ResultKind.PLAN, id, 0
        )
        is_lost = is_less and not store.is_kept(ResultKind.PLAN, id, kept_bytes)
        # What was removed meanwhile is not lost.
        if is_lost and store.is_result_there(ResultKind.PLAN, id):
            yield f"{store.place_of_map(id)}: {MISSING}. {RESULT_REMEDY}"

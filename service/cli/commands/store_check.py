"""`seedpath store check | rebuild`, on the data folder and the database that the settings name."""

import argparse
from collections.abc import Iterator
from contextlib import closing
from itertools import chain

from anatomy.errors import AnatomyError
from planner.records.wording.number_text import counted
from service.cli.arguments import settings_of
from service.cli.terminal import say
from service.maintenance import store_rebuild
from service.maintenance.open_store import database_of, refuse_other_folder
from service.maintenance.store_check import unsealed, wrong_files, wrong_rows
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate, refuse_unfit
from service.storage.file_store import Store
from service.web.middleware.keys import refuse_bad_owner

WHOLE, NOT_WHOLE = 0, 1


def check(args: argparse.Namespace) -> int:
    """Compare all files with their hashes, and rows with files."""
    settings = settings_of(args)
    refuse_other_folder(settings)
    store = Store(settings.data_dir, make=False)
    with closing(database_of(settings)) as database:
        wrong = 0
        for sentence in chain(wrong_files(store), _wrong_rows(store, database)):
            wrong += 1
            print(sentence, flush=True)
    say(f"{settings.data_dir}: {wrong} wrong" if wrong else f"{settings.data_dir}: all is as it was written")
    believed = unsealed(store)
    if believed:
        say(
            f"{counted(believed, 'record or map', 'records and maps')} of an earlier version without a "
            "sha256: what they tell is believed. The same upload, or order, writes each again."
        )
    return NOT_WHOLE if wrong else WHOLE


def _wrong_rows(store: Store, database: Database) -> Iterator[str]:
    try:
        refuse_unfit(database)
    except AnatomyError as error:
        yield str(error)
        return
    yield from wrong_rows(store, database)


def rebuild(args: argparse.Namespace) -> int:
    """Create a lost database again from the files."""
    refuse_bad_owner(args.owner)
    settings = settings_of(args)
    refuse_other_folder(settings)
    with closing(database_of(settings)) as database:
        migrate(database)
        rebuilt = store_rebuild.rebuild(Store(settings.data_dir), database, args.owner, add=args.add)
    for sentence in rebuilt.left_out.values():
        print(sentence)
    say(f"{settings.data_dir}: {args.owner} holds {len(rebuilt.rows)}; left out: {len(rebuilt.left_out)}")
    return NOT_WHOLE if rebuilt.left_out else WHOLE

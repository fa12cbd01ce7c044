"""Check commands: `seedpath store check | rebuild`, on the data folder and the database of the settings."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anatomy.errors import AnatomyError
from planner.number_text import counted
from service.database.connection import Database
from service.database.migrate import migrate, revision
from service.keys import refuse_bad_owner
from service.settings import Settings, from_environment
from service.store import Store
from service.store_check import check, unsealed
from service.store_rebuild import rebuild
from service.study.folder import is_study
from service.terminal import say

WHOLE, NOT_WHOLE = 0, 1


def add_check_commands(actions: Any) -> None:
    """Add them to the parser of `seedpath store`."""
    for name, run, what in (
        ("check", _check, "hold all files against their hashes, and rows against files"),
        ("rebuild", _rebuild, "make a lost database again from the files"),
    ):
        action = actions.add_parser(name, help=what)
        action.add_argument("--data-dir", type=Path, metavar="DIR", help="SEEDPATH_DATA_DIR")
        action.set_defaults(run=run)
        if name == "rebuild":
            action.add_argument(
                "--owner", required=True, help="who gets what nobody holds; without keys it is 'local'"
            )
            action.add_argument("--add", action="store_true", help="though the database has rows")


def _check(asked: argparse.Namespace) -> int:
    with _opened(asked) as (settings, store, database):
        if revision(database) is None:
            raise AnatomyError(
                "SEEDPATH_DATABASE_URL",
                "the database has no tables",
                "Name the one that the service uses, or make it again by `seedpath store rebuild`.",
            )
        wrong = 0
        for sentence in check(store, database):
            wrong += 1
            print(sentence, flush=True)
        say(
            f"{settings.data_dir}: {wrong} wrong"
            if wrong
            else f"{settings.data_dir}: all is as it was written"
        )
        believed = unsealed(store)
        if believed:
            say(
                f"{counted(believed, 'record or map', 'records and maps')} of an earlier version without a "
                "sha256: what they tell is believed. The same upload, or order, writes each anew."
            )
    return NOT_WHOLE if wrong else WHOLE


def _rebuild(asked: argparse.Namespace) -> int:
    refuse_bad_owner(asked.owner)
    with _opened(asked) as (settings, store, database):
        migrate(database)
        found = rebuild(store, database, asked.owner, add=asked.add)
    for sentence in found.left_out.values():
        print(sentence)
    say(f"{settings.data_dir}: {asked.owner} holds {len(found.rows)}; left out: {len(found.left_out)}")
    return NOT_WHOLE if found.left_out else WHOLE


@contextmanager
def _opened(asked: argparse.Namespace) -> Iterator[tuple[Settings, Store, Database]]:
    """The settings, and the store and the database that they name. Raises AnatomyError and OSError."""
    given = {} if asked.data_dir is None else {"SEEDPATH_DATA_DIR": str(asked.data_dir)}
    settings = from_environment(os.environ | given)
    if not (settings.data_dir / "cases").is_dir() or is_study(settings.data_dir):
        raise AnatomyError(
            "SEEDPATH_DATA_DIR",
            f"{settings.data_dir} is no data folder of a service",
            "Name the one that the service uses, by this or by --data-dir.",
        )
    database = Database(settings.database, settings.database_patience_s)
    try:
        yield settings, Store(settings.data_dir), database
    finally:
        database.close()

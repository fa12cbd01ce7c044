"""`seedpath store`: check, back up, restore and prune everything that a service stores."""

import argparse
from functools import partial
from importlib import import_module
from pathlib import Path

from service.cli.arguments import add_data_dir
from service.host.private_files import private_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its actions, each with its arguments. The module of an action is loaded when it runs."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    action = actions.add_parser("check", help="hold all files against their hashes, and rows against files")
    action.set_defaults(run=partial(_run, "store_check", "check"))
    add_data_dir(action)

    action = actions.add_parser("rebuild", help="make a lost database again from the files")
    action.set_defaults(run=partial(_run, "store_check", "rebuild"))
    add_data_dir(action)
    action.add_argument(
        "--owner", required=True, help="who gets what nobody holds; without keys it is 'local'"
    )
    action.add_argument("--add", action="store_true", help="though the database has rows")

    action = actions.add_parser("backup", help="copy all that is kept, beside a running server")
    action.set_defaults(run=partial(_run, "store_backup", "backup"))
    action.add_argument("target", type=Path, metavar="TARGET", help="a folder of backups; made where needed")
    add_data_dir(action)
    action.add_argument("--keep", type=_count, metavar="N", help="remove all but the newest N backups there")
    action.add_argument("--verify", action="store_true", help="read all files again, not a share of them")

    action = actions.add_parser("restore", help="bring a backup back, in an empty data folder")
    action.set_defaults(run=partial(_run, "store_backup", "restore"))
    action.add_argument("source", type=Path, metavar="SOURCE", help="the folder of backups")
    add_data_dir(action)
    action.add_argument("--backup", metavar="NAME", help="a folder under SOURCE/backups; else the newest")
    action.add_argument("--verify", action="store_true", help="only hold its files against their hashes")
    action.add_argument("--damaged", action="store_true", help="bring back what is whole, and name the rest")

    action = actions.add_parser("prune", help="remove what the settings of retention say, at once")
    action.set_defaults(run=partial(_run, "store_prune", "prune"))
    action.add_argument("--dry-run", action="store_true", help="only list what would go")
    add_data_dir(action)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of backups: give 1 or more")
    return int(text)


def _run(module: str, action: str, args: argparse.Namespace) -> int:
    """What an action makes is for the eyes of the service's user, as what the service makes."""
    with private_files():
        status: int = getattr(import_module(f"service.cli.commands.{module}"), action)(args)
        return status

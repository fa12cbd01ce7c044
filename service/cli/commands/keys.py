"""`seedpath keys create | list | revoke`: API keys in the file that SEEDPATH_KEYS_FILE names."""

import argparse
from pathlib import Path

from service.cli.terminal import say
from service.cli.text.table import columns
from service.settings import from_environment
from service.web.middleware.keys import create, listed, revoke


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its actions, each with its arguments."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for name, run, what in (
        ("create", _create, "make a key and print it, this once"),
        ("list", _list, "keys with their owners, without what is secret"),
        ("revoke", _revoke, "refuse a key from now on"),
    ):
        action = actions.add_parser(name, help=what)
        action.add_argument("--file", type=Path, metavar="FILE", help="keys.json (SEEDPATH_KEYS_FILE)")
        action.set_defaults(run=run)
        if name == "create":
            action.add_argument("--owner", required=True, help="whose cases and plans it opens")
        if name == "revoke":
            action.add_argument("id", help="as `seedpath keys list` shows it")


def _create(args: argparse.Namespace) -> int:
    path = _file(args)
    token = create(path, args.owner)
    say(f"a key of {args.owner} in {path}; it is not shown again")
    print(token)
    return 0


def _list(args: argparse.Namespace) -> int:
    rows = [[key.id, key.owner, key.created, key.revoked or "good"] for key in listed(_file(args))]
    print(columns([["id", "owner", "created", "revoked"], *rows]))
    return 0


def _revoke(args: argparse.Namespace) -> int:
    key = revoke(_file(args), args.id)
    say(f"key {key.id} of {key.owner} is refused from now on")
    return 0


def _file(args: argparse.Namespace) -> Path:
    if args.file is not None:
        path: Path = args.file
        return path
    settings = from_environment()
    return settings.keys_file or settings.data_dir / "keys.json"

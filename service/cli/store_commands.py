"""Store commands: `seedpath store ...`: what is done with all that a service keeps."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from service.cli.backup_commands import add_backup_commands
from service.cli.check_commands import add_check_commands
from service.cli.prune_command import add_prune_command
from service.host.private_files import private_files


def add_store_commands(commands: Any) -> None:
    """Add them to the command line's parser."""
    store = commands.add_parser(
        "store", help="what the service keeps: check it, back it up, restore it, prune it"
    )
    actions = store.add_subparsers(required=True, metavar="ACTION")
    add_check_commands(actions)
    add_backup_commands(actions)
    add_prune_command(actions)
    for action in actions.choices.values():
        action.set_defaults(run=partial(_in_private, action.get_default("run")))


def _in_private(run: Callable[[argparse.Namespace], int], asked: argparse.Namespace) -> int:
    """What a command makes is for the eyes of the service's user, as what the service makes."""
    with private_files():
        return run(asked)

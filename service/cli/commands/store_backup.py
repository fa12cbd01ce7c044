"""`seedpath store backup TARGET` and `seedpath store restore SOURCE`."""

import argparse

from planner.records.wording.number_text import counted
from service.cli.arguments import settings_of
from service.cli.terminal import say
from service.maintenance.backup import restore as backups
from service.maintenance.backup.make import BackupResult, back_up
from service.maintenance.backup.manifest import Manifest
from service.maintenance.backup.restore import chosen, verified
from service.maintenance.open_store import opened
from service.schemas.result_kinds import CASE, ResultKind
from service.settings import MIB

WHOLE, NOT_WHOLE = 0, 1

NOT_IN_IT = "Not in it: API keys, settings, certificates, logs, and what nobody holds. Keep those yourself."


def backup(args: argparse.Namespace) -> int:
    """Copy everything that is stored, while the server runs."""
    settings = settings_of(args)
    with opened(settings) as database:
        result = back_up(database, settings.data_dir, args.target, args.keep, reads_all=args.verify)
    _tell(result)
    print(result.folder)
    return WHOLE if result.is_whole else NOT_WHOLE


def restore(args: argparse.Namespace) -> int:
    """Restore a backup into an empty data folder."""
    name = chosen(args.source, args.backup)
    if args.verify:
        manifest, faults = verified(args.source, name)
        say(f"{name}: {_held(manifest)}")
    else:
        settings = settings_of(args)
        own = [path for path in (settings.keys_file, settings.tls_key, settings.tls_certificate) if path]
        manifest, faults = backups.restore(
            args.source, name, settings.data_dir, settings.database, own, partly=args.damaged
        )
        say(f"restored {name} to {settings.data_dir}: {_held(manifest)}")
        say("API keys, settings, certificates and logs are not in a backup: bring them yourself, then serve.")
    for fault in faults:
        say(f"damaged, and not in what is restored: {fault}")
    for item in manifest.damaged:
        say(f"was damaged when it was backed up, and is in it as it was: {item.kind}/{item.id}")
    return NOT_WHOLE if faults or manifest.damaged else WHOLE


def _tell(result: BackupResult) -> None:
    say(
        f"{result.folder}: {_held(result.manifest)}; copied {_size(result.copied_files, result.copied_bytes)}"
    )
    for item in result.manifest.removed_meanwhile:
        say(f"left out, since it was removed meanwhile: {item.kind}/{item.id}")
    for item in result.manifest.damaged:
        say(f"damaged, and backed up as it is: {item.kind}/{item.id}; `seedpath store check` says how")
    for place in result.mended:
        say(f"its copy in earlier backups was damaged, and is written again: {place}")
    for error in result.unread:
        say(f"{error}")
    if result.is_ahead:
        say("An earlier backup is named after a later time, as by a clock that was ahead: so is this one.")
    say(NOT_IN_IT)


def _held(manifest: Manifest) -> str:
    places = [file.place for file in manifest.files]
    cases = sum(place.startswith(f"{CASE}/") and place.endswith("/case.json") for place in places)
    plans = sum(place.startswith(f"{ResultKind.PLAN}/") for place in places)
    results = sum(place.startswith("results/") for place in places)
    size = _size(len(places), sum(file.bytes for file in manifest.files))
    return f"{counted(cases, 'case')}, {counted(plans, 'plan')}, {counted(results, 'result')}: {size}"


def _size(files: int, bytes: int) -> str:
    return f"{counted(files, 'file')} of {bytes / MIB:,.1f} MiB"

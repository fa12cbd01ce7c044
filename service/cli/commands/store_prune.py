"""`seedpath store prune [--dry-run]`: remove at once what the retention settings say."""

import argparse

from anatomy.errors import AnatomyError
from planner.records.wording.number_text import counted
from service.cli.arguments import settings_of
from service.cli.terminal import say
from service.cli.text.table import columns
from service.host.timestamp import rfc3339
from service.jobs.workspace import workspace_of
from service.logs.audit import audit_to
from service.logs.json_lines import AUDIT
from service.maintenance.open_store import opened
from service.maintenance.retention.due import Due
from service.maintenance.retention.policy import policy_of
from service.maintenance.retention.rounds import Retention
from service.storage.reserved_space import audit_room


def prune(args: argparse.Namespace) -> int:
    """Remove what the retention settings say, or list it."""
    settings = settings_of(args)
    policy = policy_of(settings)
    if policy.is_empty:
        raise AnatomyError(
            "store prune",
            "no setting says what is to go",
            "Set SEEDPATH_KEEP_PLANS_DAYS, or another one of docs/operation.md.",
        )
    with opened(settings) as database:
        # Once the database is known to fit: a refused command makes nothing.
        workspace = workspace_of(settings, database=database)
        retention = Retention(
            workspace.database, workspace.library, workspace.job_table, settings.audit, policy
        )
        due = retention.due()
        if not args.dry_run:
            noting = audit_to(settings.audit, settings.audit_rotation, audit_room(settings))
            try:
                due, _ = retention.remove(most=None)
            finally:
                AUDIT.removeHandler(noting)
                noting.close()
    if due:
        print(_listed(due))
    would = "would go" if args.dry_run else "went"
    say(f"{settings.data_dir}: {counted(len(due), 'thing')} {would}")
    return 0


def _listed(due: list[Due]) -> str:
    head = ["what", "owner", "last used", "by"]
    rows = [[f"{one.kind}/{one.id}", one.owner or "-", rfc3339(one.last_used_s), one.setting] for one in due]
    return columns([head, *rows])

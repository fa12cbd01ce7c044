"""`seedpath check`: verify a plan against its inputs."""

import argparse
from dataclasses import replace
from pathlib import Path

from service.cli.arguments import add_input, plan_and_case_of
from service.cli.exit_status import DONE, NOT_ALL
from service.cli.terminal import ProgressLines, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("plan", type=Path, metavar="PLAN", help="plan.json")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only recompute the plan's claims; do not make the plan again and compare",
    )
    add_input(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    file, case = plan_and_case_of(args)
    from service.cli.text.check import check_text, hash_check, holds
    from service.operations.check_case import check_case

    say(f"reading {args.input}")
    checked = check_case(case, file.plan, ProgressLines(), reproduce=not args.quick)
    verification = checked.verification
    own = hash_check(args.plan.name, file.claimed_sha256, file.content_sha256)
    every = replace(
        verification, passed=verification.passed and own.passed, checks=(own, *verification.checks)
    )
    checked = replace(checked, verification=every)
    print(check_text(checked))
    return DONE if holds(checked) else NOT_ALL

"""`seedpath replan`: plan again around needles as they were measured."""

import argparse
from pathlib import Path

from service.cli.arguments import add_output, add_plan_and_input, plan_and_case_of
from service.cli.exit_status import DONE, NOT_ALL
from service.cli.terminal import ProgressLines, deliver, say
from service.operations.input_files import files_of, read_file
from service.operations.output_files import refuse_bad_outputs
from service.schemas.in_patient import MAX_FOUND_BYTES, NeedlesMeasured
from service.schemas.json.strict import read_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    add_plan_and_input(parser)
    parser.add_argument(
        "--needles", type=Path, required=True, metavar="FILE", help="needles.json: what is in, in LPS mm"
    )
    add_output(parser, "replanning")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    file, case = plan_and_case_of(args)
    needles = read_file(args.needles, _needles, MAX_FOUND_BYTES)
    refuse_bad_outputs(args.output, None, files_of(case, args.plan, args.needles))
    from planner.records.plan import Status
    from service.cli.text.followup import replanned_text
    from service.operations.replan_case import replan_case
    from service.schemas.plan.followup_file import write_replanned

    say(f"reading {args.input}")
    replanned = replan_case(case, file.plan, file.claimed_sha256, needles, ProgressLines())
    deliver(write_replanned(replanned), replanned_text(replanned), args.output)
    return DONE if replanned.plan.outcome.status is Status.PLANNED else NOT_ALL


def _needles(data: bytes) -> NeedlesMeasured:
    return read_model(NeedlesMeasured, data, MAX_FOUND_BYTES)

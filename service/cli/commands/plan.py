"""`seedpath plan`: plan a segmentation."""

import argparse
from pathlib import Path

from service.cli.arguments import add_input, add_output, input_of
from service.cli.exit_status import DONE, NOT_ALL
from service.cli.terminal import ProgressLines, deliver, say
from service.operations.input_files import files_of, request_file
from service.operations.output_files import refuse_bad_outputs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    add_input(parser)
    parser.add_argument("--request", type=Path, metavar="FILE", help="request.json; every field optional")
    add_output(parser, "plan")
    parser.add_argument(
        "--figures", type=Path, metavar="DIR", help="draw each path, skin access and the dose"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    case_input = input_of(args)
    request = case_input.with_targets(request_file(args.request).to_request())
    # Before the work, not after it: a plan that cannot be written was made for nothing.
    refuse_bad_outputs(args.output, args.figures, files_of(case_input.case, args.request))
    from planner.records.plan import Status
    from service.cli.text.plan import plan_text
    from service.operations.plan_case import plan_case
    from service.schemas.plan.file import write_plan

    say(f"reading {args.input}")
    planned = plan_case(case_input.case, request, ProgressLines())
    deliver(write_plan(planned.plan), plan_text(planned.plan), args.output)
    if args.figures is not None:
        from service.pictures.plan_files import draw

        for path in draw(planned.planning, planned.scene, args.figures):
            say(f"drew {path}")
    return DONE if planned.plan.outcome.status is Status.PLANNED else NOT_ALL

"""`seedpath evaluate-implant`: compare the seeds found after an implant with its plan."""

import argparse
from pathlib import Path

from service.cli.arguments import add_output, add_plan_and_input, plan_and_case_of
from service.cli.exit_status import DONE, NOT_ALL
from service.cli.terminal import ProgressLines, deliver, say
from service.operations.input_files import files_of, read_file
from service.operations.output_files import refuse_bad_outputs
from service.schemas.in_patient import MAX_FOUND_BYTES, SeedsFound
from service.schemas.json.strict import read_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    add_plan_and_input(parser)
    parser.add_argument(
        "--seeds", type=Path, required=True, metavar="FILE", help="seeds.json: what was found, in LPS mm"
    )
    add_output(parser, "evaluation")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    file, case = plan_and_case_of(args)
    found = read_file(args.seeds, _seeds, MAX_FOUND_BYTES)
    refuse_bad_outputs(args.output, None, files_of(case, args.plan, args.seeds))
    from planner.records.plan import Status
    from service.cli.text.followup import evaluation_text
    from service.operations.evaluate_case import evaluate_case
    from service.schemas.plan.followup_file import write_evaluation

    say(f"reading {args.input}")
    evaluation = evaluate_case(case, file.plan, file.claimed_sha256, found.seeds, ProgressLines())
    deliver(write_evaluation(evaluation), evaluation_text(evaluation), args.output)
    outcomes = [evaluation.outcome]
    if evaluation.supplement is not None:
        outcomes.append(evaluation.supplement.outcome)
    return DONE if any(outcome.status is Status.PLANNED for outcome in outcomes) else NOT_ALL


def _seeds(data: bytes) -> SeedsFound:
    return read_model(SeedsFound, data, MAX_FOUND_BYTES)

"""Implant commands: `evaluate-implant` holds the seeds found against a plan, `replan` plans around needles
that are in. Both take the plan, its input as `plan` took it, and what was found."""

import argparse
from pathlib import Path
from typing import Any

from planner.records.plan import Plan, Status
from service.cli.arguments import add_input, add_output, input_of
from service.cli.terminal import ProgressLines, deliver, say
from service.cli.text.followup import evaluation_text, replanned_text
from service.operations.evaluate_case import evaluate_case
from service.operations.input_files import files_of, plan_file, read_file
from service.operations.output_files import refuse_bad_outputs
from service.operations.replan_case import replan_case
from service.schemas.in_patient import MAX_FOUND_BYTES, NeedlesMeasured, SeedsFound
from service.schemas.json.strict import read_model
from service.schemas.plan.followup_file import write_evaluation, write_replanned

GOALS_MET, GOALS_NOT_MET = 0, 1


def add_implant_commands(commands: Any) -> None:
    """Add both to the command line's parser."""
    command = commands.add_parser("evaluate-implant", help="hold the seeds of an implant against its plan")
    _add_plan(command)
    command.add_argument(
        "--seeds", type=Path, required=True, metavar="FILE", help="seeds.json: what was found, in LPS mm"
    )
    add_output(command, "evaluation")
    command.set_defaults(run=_evaluate)

    command = commands.add_parser("replan", help="plan again around needles as they were measured")
    _add_plan(command)
    command.add_argument(
        "--needles", type=Path, required=True, metavar="FILE", help="needles.json: what is in, in LPS mm"
    )
    add_output(command, "replanning")
    command.set_defaults(run=_replan)


def _add_plan(command: argparse.ArgumentParser) -> None:
    command.add_argument("plan", type=Path, metavar="PLAN", help="plan.json")
    add_input(command)


def _evaluate(asked: argparse.Namespace) -> int:
    given = input_of(asked)
    file = plan_file(asked.plan)
    given.refuse_other_targets(file.plan)
    found = read_file(asked.seeds, _seeds, MAX_FOUND_BYTES)
    refuse_bad_outputs(asked.output, None, files_of(given.case, asked.plan, asked.seeds))
    say(f"reading {asked.input}")
    evaluation = evaluate_case(given.case, file.plan, file.claimed_sha256, found.found(), ProgressLines())
    deliver(write_evaluation(evaluation), evaluation_text(evaluation), asked.output)
    supplement = evaluation.supplement
    met = evaluation.outcome.status is Status.PLANNED or (supplement is not None and _met(supplement))
    return GOALS_MET if met else GOALS_NOT_MET


def _replan(asked: argparse.Namespace) -> int:
    given = input_of(asked)
    file = plan_file(asked.plan)
    given.refuse_other_targets(file.plan)
    found = read_file(asked.needles, _needles, MAX_FOUND_BYTES)
    refuse_bad_outputs(asked.output, None, files_of(given.case, asked.plan, asked.needles))
    say(f"reading {asked.input}")
    replanned = replan_case(given.case, file.plan, file.claimed_sha256, found, ProgressLines())
    deliver(write_replanned(replanned), replanned_text(replanned), asked.output)
    return GOALS_MET if _met(replanned.plan) else GOALS_NOT_MET


def _met(plan: Plan) -> bool:
    return plan.outcome.status is Status.PLANNED


def _seeds(data: bytes) -> SeedsFound:
    return read_model(SeedsFound, data, MAX_FOUND_BYTES)


def _needles(data: bytes) -> NeedlesMeasured:
    return read_model(NeedlesMeasured, data, MAX_FOUND_BYTES)

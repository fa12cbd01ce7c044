"""`seedpath study CASES... --ranking A --ranking B`: a cohort, planned once for each ranking."""

import argparse
from pathlib import Path

from planner.scores import SCORES
from service.cli.arguments import add_mesh_axes
from service.study.cohort import COLUMNS, Shared, cohort
from service.study.rankings import rankings

FOLDER = Path("study")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    scores = ", ".join(score.name for score in SCORES)
    parser.description = "Plan each case once for each ranking. Run again, it does what is not done yet."
    parser.epilog = f"Scores: {scores}. Columns of a table of cases: {', '.join(COLUMNS)}."
    parser.add_argument(
        "cases",
        nargs="+",
        metavar="CASE",
        help="an input as `seedpath plan` takes it, thorax, or a table of cases (.csv)",
    )
    parser.add_argument(
        "--ranking",
        action="append",
        required=True,
        metavar="[NAME=]SCORES",
        help="scores by comma, the first deciding; SCORE:WEIGHT by comma; or a JSON file; may be repeated",
    )
    parser.add_argument("--names", type=Path, metavar="FILE", help="labels.json, for all maps without names")
    parser.add_argument(
        "--target", action="append", default=[], metavar="NAME", help="what is treated; may be repeated"
    )
    parser.add_argument(
        "--request", type=Path, metavar="FILE", help="request.json for all cases, without a ranking"
    )
    add_mesh_axes(parser)
    parser.add_argument(
        "-o", "--output", type=Path, default=FOLDER, metavar="FOLDER", help="the study's folder (study)"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    orders = rankings(args.ranking)
    shared = Shared(args.names, tuple(args.target), args.request, args.mesh_axes)
    members = cohort(args.cases, shared)
    from service.cli import study_command

    return study_command.study(args.output, members, orders)

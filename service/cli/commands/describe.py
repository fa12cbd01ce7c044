"""`seedpath describe`: tell what was read of an input, before it is planned."""

import argparse

from service.cli.arguments import add_input, add_output, input_of
from service.cli.exit_status import DONE
from service.cli.terminal import deliver, say
from service.operations.input_files import files_of
from service.operations.output_files import refuse_bad_outputs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    add_input(parser)
    add_output(parser, "description")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    case_input = input_of(args)
    refuse_bad_outputs(args.output, None, files_of(case_input.case))
    from anatomy.errors import StructureError
    from anatomy.names.did_you_mean import did_you_mean
    from planner.records.request.request import Request
    from service.cli.text.description import description_text
    from service.operations.describe_case import describe_case
    from service.schemas.json.canonical import text_of

    say(f"reading {args.input}")
    described = describe_case(case_input.case)
    names = [structure["name"] for structure in described["structures"]]
    for name in case_input.target_names:
        if name not in names:
            raise StructureError("--target", f"{name!r} is not in the input", did_you_mean(name, names))
    described["targets"] = list(case_input.with_targets(Request()).target.structures) or described["targets"]
    deliver(text_of(described), description_text(described), args.output)
    return DONE

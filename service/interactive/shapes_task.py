"""Shapes task: what a sandbox does where the shapes of a case are requested."""

import orjson

from service.operations.case import Case
from service.operations.job_tasks import ReportProgress


def shapes_text(report: ReportProgress, case: Case) -> bytes:
    """The shapes of a case as JSON text: transferring millions of numbers from a sandbox would block the
    server.

    Raises AnatomyError for a case that cannot be read.
    """
    del report
    # Here, in the sandbox: the web server passes tasks on, and starts without the readers.
    from service.interactive.shapes import shapes

    return orjson.dumps({"shapes": shapes(case)})

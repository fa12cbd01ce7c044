"""Study command: what `seedpath study` does once its arguments are read.

Exit status: 0 every plan is made and meets its goals, 1 some do not, 2 bad input, 130 interrupted.
"""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from planner import SOFTWARE
from planner.records.wording.number_text import counted
from service.cli.study_progress import ProgressBar
from service.cli.terminal import say
from service.cli.text.study import all_planned, summary_text
from service.host.atomic_write import write_atomically
from service.host.errors import ServiceError
from service.jobs.workspace import Workspace
from service.logs.json_lines import log_to_stderr
from service.operations.job_tasks import WORK
from service.operations.output_files import OutputError
from service.schemas.json.canonical import text_of
from service.schemas.request.writer import request_to_json
from service.settings import PREFIX, Settings, from_environment
from service.study.cohort import Member
from service.study.folder import ABOUT, PICTURE, TABLE, opened
from service.study.intake import take_in
from service.study.plan_order import StudyPlan
from service.study.rankings import Ranking
from service.study.run import open_workspace, run
from service.study.table import row

ALL_PLANNED, NOT_ALL_PLANNED, INTERRUPTED = 0, 1, 130


def study(folder: Path, members: Sequence[Member], orders: Sequence[Ranking]) -> int:
    """Plan each member once for each ranking, in a folder, and write its table and picture."""
    settings = settings_in(folder)
    log_to_stderr(settings.log_format)
    with _terminated_as_interrupted(), opened(folder), open_workspace(settings) as at:
        try:
            return _run(at, folder, members, orders)
        except ServiceError as error:
            # Nothing of a study is refused, unless somebody removed a part of what it keeps.
            changed = f"what it keeps was changed ({error})"
            raise OutputError(str(folder), changed, "Name a new folder.") from None


def _run(at: Workspace, folder: Path, members: Sequence[Member], orders: Sequence[Ranking]) -> int:
    say(f"taking in {counted(len(members), 'case')}")
    ids = {member.name: take_in(member.case, at.store, at.library) for member in members}
    plans = [
        StudyPlan(member.name, order.name, ids[member.name], order.applied(member.request))
        for member in members
        for order in orders
    ]
    about = _about(at, members, orders, ids)
    write_atomically(folder / ABOUT, text_of(about))
    bar = ProgressBar()
    try:
        with bar:
            ended = run(at, WORK, plans, bar)
    except KeyboardInterrupt:
        say(
            f"interrupted, {bar.text}. What is done is kept in {folder}: the same command goes on from there."
        )
        return INTERRUPTED
    # These imports take longer than most commands.
    from service.pictures.plan_files import write_figure
    from service.pictures.study import study_figure
    from service.study.parquet import table_bytes

    rows = [row(plan) for plan in ended]
    names = [order.name for order in orders]
    write_atomically(folder / TABLE, table_bytes(rows, about))
    write_figure(study_figure(rows, names), folder / PICTURE)
    sys.stdout.write(summary_text(rows, names))
    say(f"wrote {folder / TABLE} and {folder / PICTURE}; plans are in {folder / 'plans'}")
    return ALL_PLANNED if all_planned(rows) else NOT_ALL_PLANNED


def settings_in(folder: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a study in that folder. Its records are a file of its own there, unless a scheduler's
    workers need a database: then SEEDPATH_DATABASE_URL must name one that no service uses.

    Raises settings.SettingsError.
    """
    own = {f"{PREFIX}DATA_DIR": str(folder.resolve())}
    settings = from_environment({**environment, **own})
    # Nothing is reserved on a disk that belongs to the user of the study.
    changed: dict[str, Any] = {"log_format": "text", "reserve_bytes": 0}
    if settings.scheduler is None:
        changed["database_url"] = None
    return settings.model_copy(update=changed)


def _about(
    at: Workspace, members: Sequence[Member], orders: Sequence[Ranking], ids: Mapping[str, str]
) -> dict[str, Any]:
    """What the study is about, as JSON values."""
    return {
        "schema": "seedpath.study/1",
        "software": SOFTWARE,
        "rankings": [
            {"name": order.name, "ranking": request_to_json(order.applied(members[0].request))["ranking"]}
            for order in orders
        ],
        "cases": [
            {
                "name": member.name,
                "case_sha256": ids[member.name],
                "files": at.store.case(ids[member.name]).record["files"],
            }
            for member in members
        ],
    }


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Batch systems end what runs too long by SIGTERM: that is to end a study in order too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

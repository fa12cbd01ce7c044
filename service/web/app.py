"""App: wires the parts of the service together, under /v1."""

import asyncio
import functools
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from planner import NAME, VERSION
from planner.records.wording.number_text import counted
from service.host.disk_errors import FULL
from service.host.periodic_thread import run_bounded
from service.host.private_files import make_private
from service.interactive.appraisers import Appraisers
from service.interactive.case_reader import CaseReader
from service.interactive.large_json import LargeJson
from service.jobs.dispatcher import Dispatcher
from service.jobs.event_notifier import EventNotifier
from service.jobs.workspace import workspace_of
from service.maintenance.retention.policy import policy_of
from service.maintenance.retention.rounds import Retention, RetentionRounds
from service.operations.job_tasks import WORK, Work
from service.schemas.appraisal import NeedlesBody
from service.schemas.in_patient import EvaluateBody, ReplanBody
from service.schemas.slices import SlicesBody
from service.settings import Settings, SettingsError
from service.storage.database.migrate import migrate
from service.storage.library import Library
from service.storage.reserved_space import reserve_of, without_reserve
from service.storage.summaries import Summaries
from service.study.folder import is_study
from service.web import problem_answers
from service.web.health.health_monitor import HealthMonitor
from service.web.metrics import Metrics
from service.web.middleware.auth import HEADERS, AuthMiddleware
from service.web.middleware.cors import CorsMiddleware
from service.web.middleware.gzip_etags import GzipMiddleware
from service.web.middleware.head_and_options import HeadAndOptionsMiddleware
from service.web.middleware.keys import Keys
from service.web.middleware.rate_limit import RateLimiter
from service.web.openapi import describe_bodies
from service.web.routes import (
    about,
    cases,
    events,
    implants,
    jobs,
    metrics,
    page,
    paths,
    plans,
    results,
    views,
)
from service.web.services import AppState

_log = logging.getLogger("seedpath.store")

TOLD_TO_PAGES = [
    *HEADERS,
    *("Allow", "Content-Location", "ETag", "Link", "Location"),
    *("Preference-Applied", "Retry-After", "X-Request-ID"),
]
"""Headers that pages of other origins may read."""


def create_app(settings: Settings, work: Work = WORK) -> FastAPI:
    """The service. Its folder and tables are created at once, its processes when it starts.

    Raises OSError if the folder cannot be created or written, SettingsError if it is a study's, AnatomyError
    and database.connection.Unavailable if the database or the keys cannot be used.
    """
    state = _make_state(settings, work)

    @asynccontextmanager
    async def while_it_runs(app: FastAPI) -> AsyncIterator[None]:
        try:
            state.dispatcher.start()
            state.retention_rounds.start()
            state.health_monitor.start()
            # As in sandboxes: the garbage collector skips what stays, while somebody waits for an answer.
            gc.collect()
            gc.freeze()
            yield
        finally:
            await _close(state)

    app = FastAPI(
        title=NAME,
        version=VERSION,
        description="Planner for CT-guided iodine-125 seed implantation. Research use.",
        openapi_url="/v1/openapi.json",
        # The interactive pages would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Generated clients use these as names of functions.
        generate_unique_id_function=lambda route: route.name,
        lifespan=while_it_runs,
    )
    app.state.service = state
    problem_answers.install(app)
    refused = ("no-key", "not-local", "foreign-page", "too-many-requests", "failed", "unavailable")
    # A request that cannot be logged in the audit log is not answered.
    everywhere = (*refused, "no-room")
    v1 = APIRouter(prefix="/v1", responses=problem_answers.documented(*everywhere))
    for module in (about, cases, paths, views, plans, implants, results, jobs, events):
        v1.include_router(module.router)
    app.include_router(v1)
    app.include_router(metrics.router)
    app.include_router(page.router)
    describe_bodies(app, EvaluateBody, ReplanBody, NeedlesBody, SlicesBody)
    _wrap_in_middleware(app, settings, state)
    return app


def _make_state(settings: Settings, work: Work) -> AppState:
    if is_study(settings.data_dir):
        # A study stores less about a case than a service answers.
        raise SettingsError(
            "SEEDPATH_DATA_DIR",
            f"{settings.data_dir} is a study's folder",
            "Name another, or leave it out for the default.",
        )
    make_private(settings.data_dir)
    workspace = workspace_of(settings)
    database, store, library = workspace.database, workspace.store, workspace.library
    # Check the folder before the database in it. On a full disk things can still be removed.
    store.refuse_removals_that_fail()
    migrate(database)
    reserve = reserve_of(settings)
    for file in without_reserve(settings):
        _log.warning("%s is on another disk than the data folder: no space is reserved for it.", file)
    if not (reserve.make() and reserve.has_room):
        _log.error("A disk is nearly full: nothing is accepted or made until there is space.")
    try:
        store.sweep_aside()
        library.update_sizes()
        _log_orphans(library)
    except OSError as error:
        if error.errno not in FULL:
            raise
        _log.warning("Files of killed processes are removed at the next start: %s", error)
    job_table = workspace.job_table
    dispatcher = Dispatcher(settings, work, job_table)
    policy = policy_of(settings)
    retention = Retention(database, library, job_table, settings.audit, policy)
    return AppState(
        settings=settings,
        database=database,
        store=store,
        library=library,
        summaries=Summaries(database, store),
        quota=workspace.quota,
        job_table=job_table,
        dispatcher=dispatcher,
        notifier=EventNotifier(job_table),
        case_reader=CaseReader(settings, work),
        appraisers=Appraisers(settings),
        rate_limiter=RateLimiter(
            settings.requests_per_s,
            settings.requests_burst,
            settings.requests_at_once,
            settings.max_bytes_under_way,
        ),
        large_json=LargeJson(),
        metrics=Metrics(job_table, dispatcher, reserve),
        reserve=reserve,
        retention_rounds=RetentionRounds(retention, policy, settings.data_dir),
        health_monitor=HealthMonitor(settings, store, reserve, dispatcher),
    )


def _log_orphans(library: Library) -> None:
    """Log how many files nobody holds. They stay in place: after the loss of a database they are all that is
    left."""
    orphans = library.orphans()
    if orphans:
        _log.warning(
            "%s in the data folder held by nobody: rows are lost, or a server was killed when it wrote or "
            "removed them. `seedpath store check` names them.",
            counted(len(orphans), "case or result is", "cases and results are"),
        )


async def _close(state: AppState) -> None:
    """Close all parts at once, and last the database that they use: none waits for another, or for its
    errors.

    Raises the first error when all have ended.
    """
    closing = (
        state.dispatcher,
        state.case_reader,
        state.appraisers,
        state.retention_rounds,
        state.health_monitor,
    )
    # Not in the threads of requests, because all of these may wait for a disk.
    ended = await asyncio.gather(*(asyncio.to_thread(p.close) for p in closing), return_exceptions=True)
    await asyncio.to_thread(run_bounded, state.database.close)
    for error in ended:
        if error is not None:
            raise error


def _wrap_in_middleware(app: FastAPI, settings: Settings, state: AppState) -> None:
    """Let every request pass the middleware, and every answer, including those to unexpected errors."""
    keys = None if settings.keys_file is None else Keys(settings.keys_file)
    inner = app.build_middleware_stack

    def whole() -> ASGIApp:
        cors = functools.partial(
            CorsMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=TOLD_TO_PAGES,
        )
        with_cors = cors if settings.cors_origins else None
        answered = HeadAndOptionsMiddleware(GzipMiddleware(inner()), app.router)
        return AuthMiddleware(
            answered, keys, settings.cors_origins, state.rate_limiter, state.metrics, with_cors
        )

    # FastAPI puts added middleware inside its error handler, so answers to errors would not pass it.
    app.build_middleware_stack = whole  # type: ignore[method-assign]

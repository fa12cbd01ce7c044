"""App state: the parts of a running service, wired once by `service.web.app` and used by all routes."""

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from service.interactive.appraisers import Appraisers
from service.interactive.case_reader import CaseReader
from service.interactive.large_json import LargeJson
from service.jobs.dispatcher import Dispatcher
from service.jobs.event_notifier import EventNotifier
from service.jobs.job_table import JobTable
from service.maintenance.retention.rounds import RetentionRounds
from service.settings import Settings
from service.storage.database.connection import Database
from service.storage.file_store import Store
from service.storage.library import Library
from service.storage.quota import Quota
from service.storage.reserved_space import ReservedSpace
from service.storage.summaries import Summaries
from service.web.health.health_monitor import HealthMonitor
from service.web.metrics import Metrics
from service.web.middleware.rate_limit import RateLimiter


@dataclass(frozen=True, eq=False)
class AppState:
    """Settings, records and files, jobs, sandboxes for uploads and needles, limits of owners, and
    monitoring."""

    settings: Settings
    database: Database
    store: Store
    library: Library
    summaries: Summaries
    quota: Quota
    job_table: JobTable
    dispatcher: Dispatcher
    notifier: EventNotifier
    case_reader: CaseReader
    appraisers: Appraisers
    rate_limiter: RateLimiter
    large_json: LargeJson
    metrics: Metrics
    reserve: ReservedSpace
    retention_rounds: RetentionRounds
    health_monitor: HealthMonitor


def state_of(request: HTTPConnection) -> AppState:
    """The app state of the service that received this request."""
    return state_of_app(request.app)


def state_of_app(app: FastAPI) -> AppState:
    """The app state of this app."""
    state = app.state.service
    assert isinstance(state, AppState)
    return state

"""Parts: what a running service is made of, wired once by `service.web.app` and used by all routes."""

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from service.interactive.appraisers import Appraising
from service.interactive.case_reader import Reading
from service.interactive.large_json import LargeJson
from service.jobs.dispatcher import Dispatcher
from service.jobs.event_notifier import EventNotifier
from service.jobs.job_table import JobTable
from service.maintenance.retention.rounds import Rounds
from service.settings import Settings
from service.storage.database.connection import Database
from service.storage.file_store import Store
from service.storage.library import Library
from service.storage.quota import Quota
from service.storage.reserved_space import Reserve
from service.storage.summaries import Summaries
from service.web.health.vitals import Vitals
from service.web.metrics import Metrics
from service.web.middleware.rate_limit import Allowance


@dataclass(frozen=True, eq=False)
class Parts:
    """The service's settings, records and files, its jobs, who reads what is sent, what owners may ask."""

    settings: Settings
    database: Database
    store: Store
    library: Library
    summaries: Summaries
    quota: Quota
    job_table: JobTable
    dispatcher: Dispatcher
    notifier: EventNotifier
    reading: Reading
    appraising: Appraising
    allowance: Allowance
    large_json: LargeJson
    metrics: Metrics
    reserve: Reserve
    rounds: Rounds
    vitals: Vitals


def parts_of(request: HTTPConnection) -> Parts:
    """The parts of the service that received this request."""
    return parts_of_app(request.app)


def parts_of_app(app: FastAPI) -> Parts:
    """The parts that `service.web.app` made this app of."""
    parts = app.state.parts
    assert isinstance(parts, Parts)
    return parts

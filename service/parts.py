"""Parts: what a running service is made of, wired once by `service.app` and used by all routes."""

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from service.allowance import Allowance
from service.appraising import Appraising
from service.database.connection import Database
from service.jobs.book import Book
from service.jobs.engine import Engine
from service.keeper import Keeper
from service.large_json import LargeJson
from service.metrics import Metrics
from service.quota import Quota
from service.reading import Reading
from service.reserve import Reserve
from service.retention.rounds import Rounds
from service.settings import Settings
from service.store import Store
from service.summaries import Summaries
from service.vitals import Vitals
from service.watch import Watch


@dataclass(frozen=True, eq=False)
class Parts:
    """The service's settings, records and files, its jobs, who reads what is sent, what owners may ask."""

    settings: Settings
    database: Database
    store: Store
    keeper: Keeper
    summaries: Summaries
    quota: Quota
    book: Book
    engine: Engine
    watch: Watch
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
    """The parts that `service.app` made this app of."""
    parts = app.state.parts
    assert isinstance(parts, Parts)
    return parts

"""App: the service's parts wired together, under /v1."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from planner.records import SOFTWARE
from service import problems
from service.database.connection import Database
from service.database.migrate import migrate
from service.found_schema import EvaluateBody, ReplanBody
from service.jobs.book import Book
from service.jobs.engine import Engine
from service.keeper import Keeper
from service.local import refuse_other_hosts
from service.openapi import describe_bodies
from service.parts import Parts
from service.reading import Reading
from service.routes import about, cases, events, implants, jobs, plans, results
from service.settings import Settings
from service.store import Store
from service.tasks import WORK, Work
from service.watch import Watch


def create_app(settings: Settings, work: Work = WORK) -> FastAPI:
    """The service. It makes its folder and its tables at once, and its processes when it starts.

    Raises OSError when the folder cannot be made, AnatomyError and database.connection.Unavailable when the
    database cannot be used.
    """
    parts = _wired(settings, work)

    @asynccontextmanager
    async def while_it_runs(app: FastAPI) -> AsyncIterator[None]:
        parts.engine.start()
        yield
        await run_in_threadpool(parts.engine.close)
        await run_in_threadpool(parts.reading.close)
        await run_in_threadpool(parts.database.close)

    name, _, version = SOFTWARE.partition(" ")
    app = FastAPI(
        title=name,
        version=version,
        description="Planner for CT-guided iodine-125 seed implantation. Research use.",
        openapi_url="/v1/openapi.json",
        # The interactive pages would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=while_it_runs,
        dependencies=[Depends(refuse_other_hosts)],
    )
    app.state.parts = parts
    problems.install(app)
    v1 = APIRouter(prefix="/v1", responses=problems.documented("not-local", "failed", "unavailable"))
    for module in (about, cases, plans, implants, results, jobs, events):
        v1.include_router(module.router)
    app.include_router(v1)
    describe_bodies(app, EvaluateBody, ReplanBody)
    return app


def _wired(settings: Settings, work: Work) -> Parts:
    store = Store(settings.data_dir)
    database = Database(settings.database, settings.database_patience_s)
    migrate(database)
    book = Book(database, settings.max_jobs, settings.max_finished_jobs)
    return Parts(
        settings=settings,
        database=database,
        store=store,
        keeper=Keeper(database, store),
        book=book,
        engine=Engine(settings, work, book),
        watch=Watch(book),
        reading=Reading(settings, work),
    )

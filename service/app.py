"""App: the service's parts wired together, under /v1."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from planner.progress import Progress
from planner.records import SOFTWARE, Plan
from planner.request import Request
from service import problems
from service.case import Case, describe_case
from service.found_schema import EvaluateBody, ReplanBody
from service.jobs import Jobs
from service.local import refuse_other_hosts
from service.openapi import describe_bodies
from service.parts import Describe, Parts
from service.pool import Pool
from service.routes import about, cases, implants, jobs, plans
from service.settings import Settings
from service.store import Store
from service.tasks import Evaluate, MakePlan, Replan
from service.work import evaluate_case, plan_case, replan_case


def make_plan(
    case: Case, request: Request, report: Callable[[Progress], None], cancelled: Callable[[], bool]
) -> Plan:
    """The plan alone: its scene stays in the worker."""
    return plan_case(case, request, report, cancelled).plan


def create_app(
    settings: Settings,
    make_plan: MakePlan = make_plan,
    describe: Describe = describe_case,
    evaluate: Evaluate = evaluate_case,
    replan: Replan = replan_case,
) -> FastAPI:
    """The service. It makes its folder at once, and its processes when they are first needed.

    Raises OSError when the folder cannot be made.
    """
    store = Store(settings.data_dir)
    parts = Parts(
        settings=settings,
        store=store,
        jobs=Jobs(settings, store),
        reading=Pool(1, settings.max_jobs),
        describe=describe,
        make_plan=make_plan,
        evaluate=evaluate,
        replan=replan,
    )

    @asynccontextmanager
    async def until_the_end(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(parts.jobs.close)
        await run_in_threadpool(parts.reading.close)

    name, _, version = SOFTWARE.partition(" ")
    app = FastAPI(
        title=name,
        version=version,
        description="Planner for CT-guided iodine-125 seed implantation. Research use.",
        openapi_url="/v1/openapi.json",
        # The interactive pages would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=until_the_end,
        dependencies=[Depends(refuse_other_hosts)],
    )
    app.state.parts = parts
    problems.install(app)
    v1 = APIRouter(prefix="/v1", responses=problems.documented("not-local"))
    for module in (about, cases, plans, implants, jobs):
        v1.include_router(module.router)
    app.include_router(v1)
    describe_bodies(app, EvaluateBody, ReplanBody)
    return app

"""Metrics: for Prometheus, where it looks by default."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool

from service.web.services import state_of

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Requests, jobs and workers as text."""
    text = await run_in_threadpool(state_of(request).metrics.text)
    return Response(text, media_type=CONTENT_TYPE_LATEST)

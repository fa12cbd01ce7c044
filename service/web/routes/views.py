"""Views: data that GUIs draw: shapes of structures, slices along a needle, and the skin access map."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from planner import VERSION
from service.schemas.result_kinds import ResultKind
from service.schemas.skin_access import SkinAccessModel, Triple
from service.schemas.slices import MAX_SLICES_BYTES, SlicesBody, SlicesModel
from service.web.http.body import json_body, stated
from service.web.http.client_disconnect import cancel_on_disconnect
from service.web.http.etags import IF_NONE_MATCH, NOT_MODIFIED, unless_known
from service.web.http.owner import owner_of
from service.web.problem_answers import OF_A_BODY, OF_A_CASE, documented, problem
from service.web.routes.paths import cache_key
from service.web.services import state_of

router = APIRouter(tags=["views"])

_NEEDLE = {
    "entry_mm": [-14.0, -76.0, 56.4],
    "tip_mm": [-18.2, 6.8, 8.0],
    "request": {"target": {"structure": "node_4R"}},
}


Corners = Annotated[list[int], Field(min_length=3, max_length=3)]


class ShapeModel(BaseModel):
    """A structure's shape, coarse: triangles are triples of places in `vertices_mm`, which are in patient
    LPS, and turn right-handed about their outward normal. `role` is what its name implies."""

    structure: str
    role: str
    vertices_mm: list[Triple]
    triangles: list[Corners]


class ShapesModel(BaseModel):
    """All structures of a case, to look at; nothing is computed on them."""

    shapes: list[ShapeModel]


@router.get(
    "/cases/{case_id}/shapes",
    response_model=ShapesModel,
    responses=NOT_MODIFIED | documented(*OF_A_CASE, "limit-reached"),
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
async def case_shapes(request: Request, case_id: str) -> Response:
    """The structures of a case as triangle meshes to look at."""
    state, owner = state_of(request), owner_of(request)
    stored = await run_in_threadpool(state.library.case, owner, case_id)
    etag = f'"shapes-{VERSION}-{stored.record["id"]}"'
    not_modified = unless_known(request, etag)
    if not_modified is not None:
        return not_modified
    text = await cancel_on_disconnect(request, state.case_reader.shapes(owner, stored))
    return Response(text, media_type="application/json", headers={"ETag": etag})


@router.post(
    "/cases/{case_id}/slices",
    response_model=SlicesModel,
    openapi_extra=stated(SlicesBody, _NEEDLE),
    responses=documented(*OF_A_BODY, *OF_A_CASE, "conflict", "limit-reached"),
)
async def case_slices(request: Request, case_id: str) -> Response:
    """The two slices that hold a needle: what they cut, CT where there is one, and a plan's dose."""
    state, owner = state_of(request), owner_of(request)
    stored = await run_in_threadpool(state.library.case, owner, case_id)
    hint = 'as {"entry_mm": [x, y, z], "tip_mm": [x, y, z]}'
    _, body = await json_body(request, SlicesBody, MAX_SLICES_BYTES, hint)
    plan = None
    if body.plan is not None:
        plan = await run_in_threadpool(state.library.result, owner, ResultKind.PLAN, body.plan)
        if case_id not in await run_in_threadpool(state.library.cases_of, owner, ResultKind.PLAN, body.plan):
            raise problem("conflict", "The plan was made from another case. Name a plan of this one.")
    answer = await state.appraisers.sliced(owner, stored, cache_key(body.request), body, plan)
    return Response(answer, media_type="application/json")


_ACCESS: dict[str, Any] = {
    "responses": NOT_MODIFIED | documented("not-found", "damaged"),
    "openapi_extra": {"parameters": [IF_NONE_MATCH]},
}


@router.get("/plans/{plan_id}/skin-access", response_model=SkinAccessModel, **_ACCESS)
async def skin_access(request: Request, plan_id: str) -> Response:
    """Where on the skin the safe paths of a plan's search enter, and how little lung they cross."""
    text = await run_in_threadpool(state_of(request).library.access, owner_of(request), plan_id)
    etag = f'"access-{plan_id}"'
    not_modified = unless_known(request, etag)
    return not_modified or Response(text, media_type="application/json", headers={"ETag": etag})

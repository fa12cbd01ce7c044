"""Cases: uploads, read once on arrival, and stored under the sha256 of their files."""

from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from anatomy.readers.mesh.mesh_axes import MeshAxes
from service.host.timestamp import rfc3339
from service.operations.case_files import MESH_AXES, content_of, identify
from service.schemas.json.canonical import to_json
from service.schemas.json.strict import NotJson, Refused, Strict, read_model
from service.schemas.plan.model import InputModel
from service.schemas.result_kinds import CASE
from service.storage.case_summary import CaseSummary
from service.storage.file_store import StoredCase
from service.web.http.body import media_type, small_body
from service.web.http.client_disconnect import cancel_on_disconnect
from service.web.http.etags import IF_MATCH, IF_NONE_MATCH, NOT_MODIFIED, refuse_outdated, unless_known
from service.web.http.owner import owner_of
from service.web.http.pagination import DEFAULT_LIMIT, Cursor, PageLimit, cursor_after, page
from service.web.problem_answers import documented, json_problem, problem
from service.web.services import state_of
from service.web.upload.upload import receive

router = APIRouter(prefix="/cases", tags=["cases"])

MAX_BUILTIN_BYTES = 1000
"""{"builtin": name} is shorter."""


class BuiltinCase(Strict):
    """A case that needs no upload."""

    builtin: Literal["thorax"]


class GridModel(BaseModel):
    """The voxel grid as it was read, whose axes run nearest to left, posterior and superior: its shape, and
    the spacing along each axis [mm]."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]


class StructureModel(BaseModel):
    """A structure, and the role that its name implies; `known_name` is false where none is known."""

    name: str
    role: str
    known_name: bool
    volume_mm3: float


class CaseModel(BaseModel):
    """A case: its id, the files it is made of, and what was read in them. `targets` are treated where a
    request names none: those that came as such, else those by role. `notes` tell of structures that are
    empty, or whose names are not known."""

    id: str
    builtin: str | None
    grid: GridModel
    structures: list[StructureModel]
    targets: list[str]
    notes: list[str]
    inputs: list[InputModel]


class ListedCase(BaseModel):
    """A case in a list; `summary` is null where its record is damaged."""

    id: str
    created: str
    summary: CaseSummary | None


class CasesModel(BaseModel):
    """A page of cases, newest first; `next` is the address of the next one."""

    items: list[ListedCase]
    next: str | None


_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "names": {"type": "string", "format": "binary"},
                        "target": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "ct": {"type": "string", "format": "binary"},
                        MESH_AXES: {
                            "type": "string",
                            "enum": list(MeshAxes),
                            "description": "Axes of surfaces whose files do not say; lps without it.",
                        },
                    },
                }
            },
            "application/json": {
                "schema": BuiltinCase.model_json_schema(),
                "example": {"builtin": "thorax"},
            },
        },
    }
}


_TAKEN_IN: dict[int | str, dict[str, Any]] = {
    200: {"model": CaseModel, "description": "The owner holds the case already."},
    201: {"headers": {"Location": {"required": True, "schema": {"type": "string"}}}},
}


@router.post(
    "",
    status_code=201,
    response_model=CaseModel,
    openapi_extra=_UPLOAD,
    responses=_TAKEN_IN
    | documented(
        "malformed-json",
        "malformed-upload",
        "too-large",
        "too-slow",
        "unsupported-media-type",
        "invalid-request",
        "unusable-input",
        "limit-reached",
        "no-room",
    ),
)
async def add_case(request: Request) -> Response:
    """Take in a case: a segmentation with its companions as a form, or a built-in by name."""
    state = state_of(request)
    library, owner = state.library, owner_of(request)
    await run_in_threadpool(state.reserve.refuse_use)
    kept_bytes = await run_in_threadpool(library.kept_bytes, owner)
    with state.store.aside() as folder, state.quota.sending(owner, kept_bytes) as take:
        if media_type(request) == "multipart/form-data":

            async def unpack(archive: Path, into: Path) -> None:
                await cancel_on_disconnect(request, state.case_reader.unpacked(owner, archive, into, take))

            content = await receive(request, folder, state.settings, take, unpack)
        elif media_type(request) == "application/json":
            content = content_of(await _builtin(request), [], False)
        else:
            raise problem("unsupported-media-type", "Send multipart/form-data, or application/json.")
        case_id = identify(content)
        added = await run_in_threadpool(library.grant_case, owner, case_id)
        if added is not None:
            case, is_new = added
            # As if the files were new: this owner must not learn whether others hold the same files.
            return _answer(case, 201 if is_new else 200)
        described = await cancel_on_disconnect(request, state.case_reader.described(owner, content, folder))
        record = {"id": case_id} | content | {"description": described}
        stored = await run_in_threadpool(library.add_case, owner, folder, record)
    return _answer(stored, 201)


@router.get("", response_model=CasesModel, responses=documented("invalid-request"))
async def list_cases(request: Request, limit: PageLimit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response:
    """Cases, newest first."""
    state, owner = state_of(request), owner_of(request)
    holdings = await run_in_threadpool(state.library.listed, owner, CASE, cursor, limit + 1)
    summaries = await run_in_threadpool(state.summaries.of_cases, holdings[:limit])
    items = [
        {"id": holding.id, "created": rfc3339(holding.created_s), "summary": to_json(summary)}
        for holding, summary in zip(holdings[:limit], summaries, strict=True)
    ]
    return page(request, items, cursor_after([holding.number for holding in holdings], limit))


@router.get(
    "/{case_id}",
    response_model=CaseModel,
    responses=NOT_MODIFIED | documented("not-found", "damaged"),
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
async def get_case(request: Request, case_id: str) -> Response:
    """What a case holds."""
    stored = await run_in_threadpool(state_of(request).library.case, owner_of(request), case_id)
    return unless_known(request, _etag(stored)) or _answer(stored, 200)


@router.delete(
    "/{case_id}",
    status_code=204,
    responses=documented("not-found", "conflict", "precondition-failed", "no-room"),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def remove_case(request: Request, case_id: str) -> Response:
    """Remove a case. Plans made from it stay, and with them the files that they were made from."""
    library, owner = state_of(request).library, owner_of(request)
    # By its id alone, so that a case with a damaged record can be removed, too.
    await run_in_threadpool(library.refuse_unheld, owner, case_id)
    refuse_outdated(request, _tag(case_id))
    await run_in_threadpool(library.remove_case, owner, case_id)
    return Response(status_code=204)


async def _builtin(request: Request) -> str:
    try:
        body = await small_body(request, MAX_BUILTIN_BYTES)
        # So small that it is read at once.
        return read_model(BuiltinCase, body, MAX_BUILTIN_BYTES).builtin
    except (NotJson, Refused) as error:
        raise json_problem(error) from None


def _answer(stored: StoredCase, status: int) -> JSONResponse:
    record = stored.record
    content = {"id": record["id"], "builtin": record["builtin"]} | stored.description
    headers = {"Location": f"/v1/cases/{record['id']}"} if status == 201 else {}
    return JSONResponse(content, status, headers | {"ETag": _etag(stored)})


def _etag(stored: StoredCase) -> str:
    return _tag(stored.record["id"])


def _tag(case_id: str) -> str:
    """A case is named by its content."""
    return f'"{case_id}"'

"""Cases: what was uploaded, read once on arrival, and kept under the sha256 of its files."""

import asyncio
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from anatomy.errors import AnatomyError
from planner.records import SOFTWARE
from service.case import Case
from service.parts import Describe, Parts, parts_of
from service.plan_schema import InputModel
from service.pool import Desk
from service.problems import Problem, documented, of_input, of_json, problem
from service.routes.body import media_type, small_body
from service.store import StoredCase, StoredFile, case_in, identify, parts_by_name
from service.strict_json import NotJson, Refused, Strict, read_model
from service.upload import receive

router = APIRouter(prefix="/cases", tags=["cases"])

MAX_BUILTIN_BYTES = 1000
"""{"builtin": name} is shorter."""


class BuiltinCase(Strict):
    """A case that needs no upload."""

    builtin: Literal["thorax"]


class GridModel(BaseModel):
    """The voxel grid: its shape, and the spacing along each axis. [mm]"""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]


class StructureModel(BaseModel):
    """A structure, and the role that its name implies; `known_name` is false where none is known."""

    name: str
    role: str
    known_name: bool
    volume_mm3: float


class CaseModel(BaseModel):
    """A case: its id, the files it is made of, and what was read in them. `notes` tell of structures that are
    empty, or whose names are not known."""

    id: str
    builtin: str | None
    grid: GridModel
    structures: list[StructureModel]
    targets: list[str]
    notes: list[str]
    inputs: list[InputModel]


_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "names": {"type": "string", "format": "binary"},
                        "target": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "ct": {"type": "string", "format": "binary"},
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


_THERE_ALREADY: dict[int | str, dict[str, Any]] = {
    200: {"model": CaseModel, "description": "The case was there already."}
}


@router.post(
    "",
    status_code=201,
    response_model=CaseModel,
    openapi_extra=_UPLOAD,
    responses=_THERE_ALREADY
    | documented(
        "malformed-json",
        "malformed-upload",
        "too-large",
        "unsupported-media-type",
        "invalid-request",
        "unusable-input",
        "busy",
    ),
)
async def add_case(request: Request) -> Response:
    """Take in a case: a segmentation with its companions as a form, or a built-in by name."""
    parts = parts_of(request)
    with parts.store.aside() as folder:
        if media_type(request) == "multipart/form-data":
            files, is_folder = await receive(request, folder, parts.settings)
            content = _content(None, files, is_folder)
        elif media_type(request) == "application/json":
            content = _content(await _builtin(request), [], False)
        else:
            raise problem("unsupported-media-type", "Send multipart/form-data, or application/json.")
        case_id = identify(content)
        if parts.store.has_case(case_id):
            return _answer(parts.store.case(case_id), 200)
        described = await _described(parts, content, folder)
        stored = await run_in_threadpool(
            parts.store.add_case, folder, {"id": case_id} | content | {"description": described}
        )
    return _answer(stored, 201)


@router.get("/{case_id}", response_model=CaseModel, responses=documented("not-found"))
async def get_case(request: Request, case_id: str) -> Response:
    """What a case holds."""
    return _answer(parts_of(request).store.case(case_id), 200)


@router.delete("/{case_id}", status_code=204, responses=documented("not-found", "conflict"))
async def remove_case(request: Request, case_id: str) -> Response:
    """Remove a case and its files. Plans made from it stay."""
    parts = parts_of(request)
    if parts.jobs.uses(case_id):
        raise problem("conflict", "A job works on this case. Cancel it first, or wait for its end.")
    await run_in_threadpool(parts.store.remove_case, case_id)
    return Response(status_code=204)


async def _builtin(request: Request) -> str:
    try:
        body = await small_body(request, MAX_BUILTIN_BYTES)
        return read_model(BuiltinCase, body, MAX_BUILTIN_BYTES).builtin
    except (NotJson, Refused) as error:
        raise of_json(error) from None


def _content(builtin: str | None, files: list[StoredFile], is_folder: bool) -> dict[str, Any]:
    """What a case's id is made of. A built-in belongs to the software that made it."""
    return {
        "builtin": builtin,
        "software": SOFTWARE if builtin else None,
        "folder": is_folder,
        "files": [{"part": f.part, "place": f.place, "sha256": f.sha256} for f in files],
    }


async def _described(parts: Parts, content: dict[str, Any], folder: Path) -> dict[str, Any]:
    task = parts.reading.submit(_describe, parts.describe, case_in(folder, content))
    if task is None:
        raise problem("busy", "Too many uploads are being read. Try again later.")
    try:
        described: dict[str, Any] = await asyncio.wrap_future(task.future)
    except AnatomyError as error:
        raise Problem(of_input(error, folder, parts_by_name(content))) from None
    return described


def _describe(desk: Desk, describe: Describe, case: Case) -> dict[str, Any]:
    del desk
    return describe(case)


def _answer(stored: StoredCase, status: int) -> JSONResponse:
    record = stored.record
    content = {"id": record["id"], "builtin": record["builtin"]} | record["description"]
    headers = {"Location": f"/v1/cases/{record['id']}"} if status == 201 else None
    return JSONResponse(content, status, headers)

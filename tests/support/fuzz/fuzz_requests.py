"""Kinds of damaged input that are asked or claimed in JSON or tables: requests, plans, what was found in a
patient, rankings, and tables of cases. They are read as the commands read them."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from case_files import body_labels, label_table, write_nifti
from fuzz_kind import FuzzKind, in_one
from fuzz_voxels import JSON_TOKENS
from mutations import in_json
from true_implants import honest_implant
from true_plans import box_patient, honest_plan

from anatomy.errors import AnatomyError
from anatomy.scene import Scene
from planner.verify import verify
from service.host.errors import BadFile
from service.operations.input_files import plan_file, read_file, request_file
from service.operations.own_verification import own_block
from service.schemas.in_patient import MAX_FOUND_BYTES as MOST
from service.schemas.in_patient import NeedlesMeasured, SeedsFound
from service.schemas.json.strict import read_model
from service.schemas.plan.file import write_plan
from service.schemas.request.writer import request_to_json
from service.study.cohort import COLUMNS, Shared, cohort
from service.study.rankings import rankings

REQUEST_TOKENS = (
    *JSON_TOKENS,
    *(b'"target": ', b'"structure": null', b'"ranking": {"weights": {}}', b'"prescription": null'),
    *(b'"lung_length_mm"', b'"implant_date": "2024-02-30"', b'"2024-01-01"', b'"seeds": []', b"1e999"),
    *(b'"given_needles": [{}]', b'"axis": [0, 0, 0]', b'"needles": [', b'"path_id": "x"', b"-0.0", b"1e-320"),
)

PLAN_TOKENS = (
    *REQUEST_TOKENS,
    *(b'"status": "no_path"', b'"paths": []', b'"checks": []', b'"needle_set": null', b'"dose": null'),
    *(b'"nearest_miss": null', b'"robustness": null', b'"verification": null', b'"crosses": []', b"{}"),
)

TABLE_TOKENS = (
    *(f"{c},".encode() for c in COLUMNS),
    b",",
    b'"',
    b'""',
    b"\r\n",
    b";",
    b"\0",
    b"\xef\xbb\xbf",
)


def _requests(folder: Path) -> list[Path]:
    files = [folder / "whole.json", folder / "few.json", folder / "weights.json"]
    document = request_to_json(honest_implant()[0].request)
    files[0].write_text(json.dumps(document, indent=1), encoding="utf-8")
    files[1].write_text('{"target": {"structure": ["a", "b"]}, "roles": {"a": "target"}}', encoding="utf-8")
    files[2].write_text(
        '{"ranking": {"weights": {"lung_length_mm": 1}}, "prescription": null}', encoding="utf-8"
    )
    return files


def _rankings(folder: Path) -> list[Path]:
    files = [folder / "order.json", folder / "weights.json"]
    files[0].write_text('["lung_length_mm", "clearance_mm", "length_mm"]', encoding="utf-8")
    files[1].write_text('{"weights": {"lung_length_mm": 1, "clearance_mm": 0.5}}', encoding="utf-8")
    return files


def _plans(folder: Path) -> list[Path]:
    files = [folder / "implant.json", folder / "paths.json"]
    for path, plan in zip(files, (honest_implant()[0], honest_plan(box_patient())), strict=True):
        path.write_bytes(write_plan(plan))
    return files


def _seeds(folder: Path) -> list[Path]:
    file = folder / "seeds.json"
    seeds = [{"position_mm": [1.5, -2, 30], "axis": [0, 0.6, 0.8]}, {"position_mm": [0, 0, 0]}]
    file.write_text(json.dumps({"seeds": seeds}), encoding="utf-8")
    return [file]


def _needles(folder: Path) -> list[Path]:
    file = folder / "needles.json"
    needle = {"path_id": "n1", "entry_mm": [0.5, 100, 0], "tip_mm": [0, 0, 0]}
    unplanned = {"entry_mm": [10, 100, 0], "tip_mm": [10, 0, 0], "path_id": None}
    seeds = [{"position_mm": [0, 3, 0], "axis": None}]
    file.write_text(json.dumps({"needles": [needle, unplanned], "seeds": seeds}), encoding="utf-8")
    return [file]


def _tables(folder: Path) -> list[Path]:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(folder / name, body_labels(), extension=label_table())
    (folder / "request.json").write_text("{}", encoding="utf-8")
    files = [folder / "cases.csv", folder / "short.csv"]
    files[0].write_text(
        "case,input,names,target,ct,request,mesh_axes\n"
        "one,a.nii.gz,,node_4R;heart,,request.json,\n"
        '"two, left",b.nii.gz,,,,,lps\n'
        "three,thorax,,,,,\n",
        encoding="utf-8",
    )
    files[1].write_text("input\na.nii.gz\nb.nii.gz\n", encoding="utf-8")
    return files


def _read_request(path: Path) -> object:
    # What it means is written in each plan.
    return request_to_json(request_file(path).to_request())


def _read_plan(path: Path) -> object:
    return write_plan(plan_file(path).plan)


def _check_plan(path: Path) -> object:
    plan = plan_file(path).plan
    verification = verify(plan, _chest(path.stem))
    return own_block(plan.verification, verification)


@cache
def _chest(name: str) -> Scene:
    return (honest_implant()[1] if name == "implant" else box_patient()).scene


def _read_seeds(path: Path) -> object:
    return read_file(path, lambda data: read_model(SeedsFound, data, MOST), MOST).seeds


def _read_needles(path: Path) -> object:
    return read_file(path, lambda data: read_model(NeedlesMeasured, data, MOST), MOST).seeds


def _each(refused: Exception) -> Sequence[str]:
    """What is said of each field that is wrong. The system repeats a path as it was given."""
    if isinstance(refused, OSError):
        return in_one(OSError(refused.strerror))
    return str(refused).split("; /") if isinstance(refused, BadFile) else in_one(refused)


_OURS = (AnatomyError, BadFile)

_AS_TOLD = (*_OURS, OSError)
"""The commands tell the system's own words of a file: it is not there, or cannot have that name."""

REQUEST_KINDS: dict[str, FuzzKind] = {
    "request": FuzzKind(_requests, _read_request, REQUEST_TOKENS, _OURS, in_json, _each),
    "ranking": FuzzKind(_rankings, lambda path: rankings([str(path)]), REQUEST_TOKENS, _OURS, in_json, _each),
    "plan": FuzzKind(_plans, _read_plan, PLAN_TOKENS, _OURS, in_json, _each),
    "plan-verified": FuzzKind(_plans, _check_plan, PLAN_TOKENS, _OURS, in_json, _each),
    "seeds": FuzzKind(_seeds, _read_seeds, REQUEST_TOKENS, _OURS, in_json, _each),
    "needles": FuzzKind(_needles, _read_needles, REQUEST_TOKENS, _OURS, in_json, _each),
    "case-table": FuzzKind(
        _tables, lambda path: cohort([str(path)], Shared()), TABLE_TOKENS, _AS_TOLD, said=_each
    ),
}

"""A case with one result of each kind in a running service: its addresses, and where its files lie."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import integrity_work as fakes

WAIT = {"Prefer": "wait=300"}


REQUEST = {"target": {"structure": "gtv"}}


SEEDS = {"seeds": [{"position_mm": [0.0, 0.0, 0.0], "axis": None}]}


NEEDLE = {"entry_mm": [0.0, -9.0, 0.0], "tip_mm": [0.0, 9.0, 0.0]}


CASE_FILES = ("record", "file", "names", "target", "ct")
"""What a case is made of. Whoever opens the case reads all of it."""


@dataclass(frozen=True)
class Kept:
    """A case and all that can be made of it: addresses, and where each kind of file lies."""

    case: str
    addresses: dict[str, str]
    files: dict[str, Path]

    def damaged_in(self, answer: dict[str, Any]) -> list[str]:
        """The kinds of the files that a problem names."""
        return [
            kind for kind, file in self.files.items() if f"{file.parent.name}/{file.name}" in answer["detail"]
        ]


@dataclass(frozen=True)
class Route:
    """A request, the kinds of files that its answer needs, and the kind whose bytes it is."""

    method: str
    address: Callable[[Kept], str]
    needs: tuple[str, ...] = ()
    body: Callable[[Kept], dict[str, Any]] | None = None
    answers: str | None = None


def at(kind: str, more: str = "") -> Callable[[Kept], str]:
    return lambda kept: kept.addresses[kind] + more


def plan_id(data: Kept) -> str:
    return data.addresses["plan"].rpartition("/")[2]


READING = {
    "the case": Route("GET", at("case"), ("record",)),
    "its shapes": Route("GET", at("case", "/shapes"), CASE_FILES),
    "slices": Route(
        "POST", at("case", "/slices"), (*CASE_FILES, "plan"), lambda kept: NEEDLE | {"plan": plan_id(kept)}
    ),
    "needles": Route("POST", at("case", "/paths:evaluate"), CASE_FILES, lambda kept: {"paths": [NEEDLE]}),
    "the plan": Route("GET", at("plan"), ("plan",), answers="plan"),
    "its map": Route("GET", at("plan", "/skin-access"), ("map",), answers="map"),
    "the evaluation": Route("GET", at("evaluation"), ("evaluation",), answers="evaluation"),
    "the replanning": Route("GET", at("replan"), ("replan",), answers="replan"),
    "cases": Route("GET", lambda kept: "/v1/cases"),
    "plans": Route("GET", lambda kept: f"/v1/plans?case={kept.case}"),
    "jobs": Route("GET", lambda kept: "/v1/jobs"),
}


WORKING = {
    "a plan": Route("POST", at("case", "/plans"), CASE_FILES, lambda kept: REQUEST),
    "an evaluation": Route(
        "POST", at("plan", ":evaluate-implant"), (*CASE_FILES, "plan"), lambda kept: SEEDS
    ),
    "a replanning": Route(
        "POST", at("plan", ":replan"), (*CASE_FILES, "plan"), lambda kept: {"needles": [NEEDLE]}
    ),
}


KINDS = (*CASE_FILES, "plan", "map", "evaluation", "replan")


def everything(client: httpx.Client, sent: dict[str, Any], data_dir: Path) -> Kept:
    """A case, and one of each that is made of one."""
    answer = client.post("/v1/cases", **sent)
    assert answer.status_code in (200, 201), answer.text
    addresses = {"case": f"/v1/cases/{answer.json()['id']}"}
    data = Kept(answer.json()["id"], addresses, {})
    for kind, what in (("plan", "a plan"), ("evaluation", "an evaluation"), ("replan", "a replanning")):
        created = answer_of(client, data, WORKING[what], WAIT)
        assert created.status_code == 200, created.text
        addresses[kind] = created.headers["content-location"]
    folder = data_dir / "cases" / data.case
    data.files["record"] = folder / "case.json"
    for part, name in fakes.PARTS.items():
        data.files[part] = next(folder.glob(f"{part}/**/{name}"))
    ids = {kind: f"{address.rpartition('/')[2]}.json" for kind, address in addresses.items()}
    data.files["plan"] = data_dir / "plans" / ids["plan"]
    data.files["map"] = data_dir / "access" / ids["plan"]
    data.files["evaluation"] = data_dir / "results" / "evaluations" / ids["evaluation"]
    data.files["replan"] = data_dir / "results" / "replans" / ids["replan"]
    assert set(data.files) == set(KINDS)
    return data


def answer_of(
    client: httpx.Client, data: Kept, route: Route, headers: dict[str, str] | None = None
) -> httpx.Response:
    body = None if route.body is None else route.body(data)
    return client.request(route.method, route.address(data), json=body, headers=headers)

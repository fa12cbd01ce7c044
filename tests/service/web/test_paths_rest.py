"""Needles moved by a user, over HTTP and a WebSocket, with a real service and a small real case."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import trimesh
from keyed_service import base, folder, token
from phantom import write_phantom
from rest_calls import GENEROUS_S, client_of, problem, upload
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from service.schemas.appraisal import AppraisalsModel
from service.schemas.json import strict as strict_json
from service.schemas.json.records import adapter
from service.schemas.skin_access import SkinAccessModel
from service.schemas.slices import SlicesModel
from service.settings import Settings
from service.web.app import create_app
from service.web.middleware.keys import create
from service.web.routes.paths import _message_in
from service.web.routes.views import ShapesModel
from service.web.server import serve_in_background

__all__ = ["base", "folder", "token"]

REQUEST = {"target": {"structure": "node_4R"}, "prescription": None}
WIDE = REQUEST | {"target": {"structure": "node_4R", "margin_mm": 10}}
"""With a margin wide enough for a seed beside the target."""


@pytest.fixture(scope="module")
def client(base: str, token: str) -> Iterator[httpx.Client]:
    with client_of(base, token) as client:
        client.timeout = 10 * GENEROUS_S
        yield client


@pytest.fixture(scope="module")
def case(client: httpx.Client, folder: Path) -> str:
    phantom_folder = write_phantom(folder)
    parts = [(part, name, (phantom_folder / name).read_bytes()) for part, name in PARTS]
    answer = client.post("/v1/cases", **upload(*parts))
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


PARTS = (("file", "labels.nii.gz"), ("names", "labels.json"))


@pytest.fixture(scope="module")
def plan(client: httpx.Client, case: str) -> dict[str, Any]:
    answer = client.post(f"{case}/plans", json=REQUEST, headers={"Prefer": "wait=600"})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def needle(path: dict[str, Any]) -> dict[str, Any]:
    return {"entry_mm": path["entry_mm"], "tip_mm": path["tip_mm"]}


def test_a_plans_paths_are_appraised_with_the_plans_values(
    client: httpx.Client, case: str, plan: dict[str, Any]
) -> None:
    body = {"paths": [needle(path) for path in plan["paths"]], "request": REQUEST}
    answer = client.post(f"{case}/paths:evaluate", json=body)
    assert answer.status_code == 200, answer.text
    adapter(AppraisalsModel).validate_json(answer.content)
    # Statements that hold for all needles stand beside them, as in the plan.
    for name in ("missing_structures", "notes", "skin_structures", "skin_source"):
        assert answer.json()[name] == plan[name]
    document = answer.json()["paths"]
    assert len(document) == len(plan["paths"]) > 1
    for appraisal, path in zip(document, plan["paths"], strict=True):
        assert appraisal["safe"] and appraisal["reasons"] == []
        for name in ("entry_mm", "length_mm", "lung_length_mm", "clearance_mm", "target_chord_mm"):
            assert appraisal[name] == pytest.approx(path[name], abs=1e-6), name
        for name in ("pleural_punctures", "fissures_crossed", "nearest_structure"):
            assert appraisal[name] == path[name]
        assert [c["structure"] for c in appraisal["crosses"]] == [c["structure"] for c in path["crosses"]]


def test_needles_are_appraised_by_their_aim(client: httpx.Client, case: str, plan: dict[str, Any]) -> None:
    """A needle with its tip retracted into the margin is safe in a needle set, but no path to the target."""
    path = plan["paths"][0]
    retraction_mm = path["target_chord_mm"] + 2.0
    tip = [t - retraction_mm * d for t, d in zip(path["tip_mm"], path["direction"], strict=True)]
    retracted = {"entry_mm": path["entry_mm"], "tip_mm": tip}
    body = {
        "paths": [retracted, *(retracted | {"aim": aim} for aim in ("target", "ptv", "given"))],
        "request": WIDE,
    }
    by_default, by_target, by_ptv, by_given = client.post(f"{case}/paths:evaluate", json=body).json()["paths"]
    assert by_default == by_target and [r["lack"] for r in by_target["reasons"]] == ["target"]
    assert [(appraisal["aim"], appraisal["safe"]) for appraisal in (by_target, by_ptv, by_given)] == [
        *(("target", False), ("ptv", True), ("given", True)),
    ]
    invalid = {"paths": [retracted | {"aim": "heart"}], "request": REQUEST}
    problem_json = problem(client.post(f"{case}/paths:evaluate", json=invalid), "invalid-request")
    assert [e["pointer"] for e in problem_json["errors"]] == ["/paths/0/aim"]


def test_a_moved_needle_is_unsafe_with_reasons(client: httpx.Client, case: str, plan: dict[str, Any]) -> None:
    moved_needle = needle(plan["paths"][0])
    moved_needle["tip_mm"] = [moved_needle["tip_mm"][0] + 60.0, *moved_needle["tip_mm"][1:]]
    document = client.post(
        f"{case}/paths:evaluate", json={"paths": [moved_needle], "request": REQUEST}
    ).json()["paths"]
    assert not document[0]["safe"]
    assert {"target"} <= {reason["lack"] for reason in document[0]["reasons"]}
    assert all(reason["detail"].endswith(".") for reason in document[0]["reasons"])


def test_the_request_decides_what_is_safe(client: httpx.Client, case: str, plan: dict[str, Any]) -> None:
    path = plan["paths"][0]
    wider_request = REQUEST | {
        "clearance_mm": {path["nearest_structure"]: min(50.0, path["clearance_mm"] + 1.0)}
    }
    document = client.post(
        f"{case}/paths:evaluate", json={"paths": [needle(path)], "request": wider_request}
    ).json()
    assert [r["structure"] for r in document["paths"][0]["reasons"]] == [path["nearest_structure"]]


BODIES: dict[str, tuple[Any, str, list[str]]] = {
    "no needle": ({"paths": []}, "invalid-request", ["/paths"]),
    "nothing": ({}, "invalid-request", ["/paths"]),
    "false for a number": (
        {"paths": [{"entry_mm": [False, 0, 0], "tip_mm": [0, 0, 1]}]},
        "invalid-request",
        ["/paths/0/entry_mm/0"],
    ),
    "no direction": (
        {"paths": [{"entry_mm": [0, 0, 0], "tip_mm": [0, 0, 0]}]},
        "invalid-request",
        ["/paths/0"],
    ),
    "too many": (
        {"paths": [{"entry_mm": [0, 0, 9], "tip_mm": [0, 0, 0]}] * 1001},
        "invalid-request",
        ["/paths"],
    ),
    "an unknown target": (
        {"paths": [{"entry_mm": [0, 0, 9], "tip_mm": [0, 0, 0]}], "request": {"target": {"structure": "x"}}},
        "unusable-input",
        ["/request/target/structure"],
    ),
    "an unknown field": ({"paths": [], "plan": 1}, "invalid-request", ["/paths", "/plan"]),
    "no JSON": (b'{"paths": [NaN]}', "malformed-json", []),
}


@pytest.mark.parametrize("name", BODIES)
def test_an_invalid_body_is_answered_with_its_fields(client: httpx.Client, case: str, name: str) -> None:
    body, kind, pointers = BODIES[name]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    problem_json = problem(client.post(f"{case}/paths:evaluate", content=content, headers=headers), kind)
    assert [e["pointer"] for e in problem_json["errors"]] == pointers


def test_needles_in_a_missing_case_are_not_found(client: httpx.Client, plan: dict[str, Any]) -> None:
    body = {"paths": [needle(plan["paths"][0])]}
    problem(client.post(f"/v1/cases/{'0' * 64}/paths:evaluate", json=body), "not-found")


# The WebSocket


def socket_address(base: str, case: str) -> str:
    return f"{base.replace('http:', 'ws:')}{case}/paths"


def test_a_socket_answers_each_message_in_order(
    base: str, token: str, case: str, plan: dict[str, Any]
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    paths = [needle(path) for path in plan["paths"]]
    with connect(socket_address(base, case), additional_headers=headers, proxy=None) as socket:
        for n in range(5):
            # The request is sent once and holds for later messages.
            message = {"id": n, "paths": paths[:1]} | ({"request": REQUEST} if n == 0 else {})
            socket.send(json.dumps(message))
        answers = [json.loads(socket.recv(timeout=10 * GENEROUS_S)) for _ in range(5)]
        assert [answer["id"] for answer in answers] == list(range(5))
        assert all(answer["paths"] == answers[0]["paths"] for answer in answers)
        assert answers[0]["paths"][0]["safe"]
        socket.send(json.dumps({"id": "bad", "paths": []}))
        refusal = json.loads(socket.recv(timeout=GENEROUS_S))
        assert refusal["problem"]["type"] == "/v1/problems/invalid-request" and refusal["id"] == "bad"
        socket.send(json.dumps({"id": "bytes", "paths": paths[:1]}).encode())
        assert json.loads(socket.recv(timeout=GENEROUS_S))["id"] == "bytes"
        socket.send("{")
        refusal = json.loads(socket.recv(timeout=GENEROUS_S))
        assert refusal["id"] is None and refusal["problem"]["type"] == "/v1/problems/malformed-json"
        # An error does not close the socket.
        socket.send(json.dumps({"id": 9, "paths": paths}))
        assert len(json.loads(socket.recv(timeout=GENEROUS_S))["paths"]) == len(paths)


def test_a_browser_gives_its_key_as_a_subprotocol(base: str, token: str, case: str) -> None:
    subprotocols = ["seedpath.v1", f"bearer.{token}"]
    with connect(socket_address(base, case), subprotocols=subprotocols, proxy=None) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == "seedpath.v1"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}])
def test_a_socket_without_a_key_is_refused(base: str, case: str, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus, match="HTTP 403"):
        connect(socket_address(base, case), additional_headers=headers, proxy=None)


def test_a_page_of_another_origin_cannot_open_a_socket(base: str, token: str, case: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    address = socket_address(base, case)
    with connect(address, additional_headers=headers, origin=Origin(base), proxy=None):
        pass
    with pytest.raises(InvalidStatus, match="HTTP 403"):
        connect(address, additional_headers=headers, origin=Origin("https://evil.example"), proxy=None)


def test_a_socket_of_a_missing_case_is_refused(base: str, token: str) -> None:
    address = socket_address(base, f"/v1/cases/{'0' * 64}")
    headers = {"Authorization": f"Bearer {token}"}
    with pytest.raises(InvalidStatus, match="HTTP 403"):
        connect(address, additional_headers=headers, proxy=None)


def slices_body(path: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return needle(path) | {"request": REQUEST} | fields


def test_slices_along_a_path_of_the_plan_show_its_target(client, case, plan):
    answer = client.post(f"{case}/slices", json=slices_body(plan["paths"][0]))
    assert answer.status_code == 200, answer.text
    model = SlicesModel.model_validate_json(answer.content)
    target = [s.structure for s in model.structures].index("node_4R") + 1
    for plane in model.slices:
        labels = np.frombuffer(base64.b64decode(plane.labels), "<u2")
        assert (labels == target).any()
        assert plane.dose_gy is None


def test_slices_with_the_dose_of_a_plan_need_a_plan_of_the_case(client, case, plan):
    path = plan["paths"][0]
    assert problem(client.post(f"{case}/slices", json=slices_body(path, plan="0" * 64)), "not-found")
    other = client.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
    refusal = client.post(f"{other}/slices", json=slices_body(path, plan=plan["plan_sha256"]))
    assert "another case" in problem(refusal, "conflict")["detail"]
    # The plan has no prescription, so no dose.
    answer = client.post(f"{case}/slices", json=slices_body(path, plan=plan["plan_sha256"]))
    assert answer.status_code == 200
    assert answer.json()["slices"][0]["dose_gy"] is None


def test_slices_with_an_unknown_target_are_refused_with_its_pointer(client, case, plan):
    answer = client.post(
        f"{case}/slices", json=slices_body(plan["paths"][0], request={"target": {"structure": "x"}})
    )
    assert problem(answer, "unusable-input")["errors"][0]["pointer"].startswith("/request")


def test_shapes_of_a_case_are_closed_and_sent_once(client, case):
    answer = client.get(f"{case}/shapes")
    assert answer.status_code == 200
    shapes_json = ShapesModel.model_validate_json(answer.content).shapes
    assert {s.structure for s in shapes_json} == {"body", "lung_left", "aorta", "node_4R", "spinal_cord"}
    for s in shapes_json:
        assert trimesh.Trimesh(s.vertices_mm, s.triangles, process=False).is_watertight
    response = client.get(f"{case}/shapes", headers={"If-None-Match": answer.headers["etag"]})
    assert response.status_code == 304


def test_shapes_are_made_once_and_only_for_their_case(client, case, monkeypatch):
    content = client.get(f"{case}/shapes").content

    async def never(*_):
        raise AssertionError("the shapes are made a second time")

    monkeypatch.setattr("service.interactive.case_reader.SandboxPool.run", never)
    assert client.get(f"{case}/shapes").content == content
    problem(client.get(f"/v1/cases/{'0' * 64}/shapes"), "not-found")


def test_the_skin_access_map_contains_the_entries_of_the_plan(client, plan):
    answer = client.get(f"/v1/plans/{plan['plan_sha256']}/skin-access")
    assert answer.status_code == 200
    model = SkinAccessModel.model_validate_json(answer.content)
    assert model.plan == plan["plan_sha256"]
    assert len(model.entry_mm) == len(model.lung_length_mm) > 0
    # Each entry of the plan is near an entry of the map with as much lung or less.
    for path in plan["paths"]:
        distances_mm = np.abs(np.array(model.entry_mm) - path["entry_mm"]).max(axis=1)
        lengths_nearby_mm = np.array(model.lung_length_mm)[distances_mm <= 2 * model.square_mm]
        assert lengths_nearby_mm.min() <= path["lung_length_mm"] + 1e-3


def test_a_skin_access_map_is_removed_with_its_plan(client, case):
    response = client.post(f"{case}/plans", json=REQUEST | {"random_seed": 5}, headers={"Prefer": "wait=600"})
    address = response.headers["content-location"]
    assert client.get(f"{address}/skin-access").status_code == 200
    assert client.delete(address).status_code == 204
    assert problem(client.get(f"{address}/skin-access"), "not-found")


# Limits of one owner


@pytest.mark.long
def test_messages_count_against_the_rate_limit(tmp_path: Path) -> None:
    """Messages above the rate are refused with their ids, and the socket stays open."""
    token = create(tmp_path / "keys.json", "ann")
    settings = Settings(
        data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json", requests_per_s=4.0, requests_burst=4
    )
    headers = {"Authorization": f"Bearer {token}"}
    phantom_folder = write_phantom(tmp_path)
    parts = [(part, name, (phantom_folder / name).read_bytes()) for part, name in PARTS]
    body = {"paths": [{"entry_mm": [0, -90, 0], "tip_mm": [0, 0, 0]}], "request": REQUEST}
    with serve_in_background(create_app(settings)) as base, client_of(base, token) as client:
        case = client.post("/v1/cases", **upload(*parts)).headers["location"]
        with connect(socket_address(base, case), additional_headers=headers, proxy=None) as socket:
            for n in range(12):
                socket.send(json.dumps({"id": n} | body))
            answers = [json.loads(socket.recv(timeout=10 * GENEROUS_S)) for _ in range(12)]
            assert [answer["id"] for answer in answers] == list(range(12))
            refusals = [answer["problem"] for answer in answers if "problem" in answer]
            assert {p["type"] for p in refusals} == {"/v1/problems/too-many-requests"}
            assert 0 < len(refusals) < 12
            # After a pause messages are answered again.
            time.sleep(1.0)
            socket.send(json.dumps({"id": "later"} | body))
            assert "paths" in json.loads(socket.recv(timeout=GENEROUS_S))
            # Unreadable messages count as well: of twelve, four wait for a quarter of a second.
            start_s = time.monotonic()
            for _ in range(12):
                socket.send("{")
            answers = [json.loads(socket.recv(timeout=GENEROUS_S)) for _ in range(12)]
            assert {answer["problem"]["type"] for answer in answers} == {"/v1/problems/malformed-json"}
            assert time.monotonic() - start_s > 0.5


@pytest.mark.parametrize("paths", [[{"entry_mm": [0, -90, 0], "tip_mm": [0, 0, 0]}], [], "no list"])
def test_a_message_is_parsed_once(paths: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed_texts: list[bytes] = []

    def counting_parse(text: bytes) -> Any:
        parsed_texts.append(text)
        return json.loads(text)

    monkeypatch.setattr(strict_json, "parse", counting_parse)
    id, _ = _message_in(json.dumps({"id": 7, "paths": paths}).encode())
    assert id == 7 and len(parsed_texts) == 1

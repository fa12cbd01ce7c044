"""Evaluating and replanning through a real uvicorn on a loopback port: cases, results, problems."""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import implant_work as fakes
import pytest
from rest_calls import GENEROUS_S, problem, stored, until, upload

from service.operations.job_tasks import Work
from service.schemas.plan.file import read_plan
from service.schemas.plan.followup_file import read_evaluation, read_replanned
from service.settings import Settings
from service.web.app import create_app
from service.web.server import serve_in_background

WAIT = {"Prefer": "wait=60"}
NEEDLE = {"path_id": "N1", "entry_mm": [80.0, 12.0, 60.0], "tip_mm": [80.0, 68.0, 60.0]}
NEW_NEEDLE = NEEDLE | {"path_id": None, "entry_mm": [90.0, 12.0, 60.0]}


def seeds(count: int) -> list[dict[str, Any]]:
    return [{"position_mm": [72.0, 60.0, 60.0 + n], "axis": None} for n in range(count)]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def client(data_dir: Path) -> Iterator[httpx.Client]:
    """A client of a service with fake work."""
    work = Work(fakes.describe, fakes.plan, fakes.evaluate, fakes.replan)
    app = create_app(Settings(data_dir=data_dir, max_jobs=3), work)
    with (
        serve_in_background(app) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def case(client: httpx.Client) -> str:
    answer = client.post("/v1/cases", json={"builtin": "thorax"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def plan(client: httpx.Client, case: str) -> str:
    """The address of a plan."""
    return make_plan(client, case)


def make_plan(client: httpx.Client, case: str, **body: Any) -> str:
    answer = client.post(f"/v1/cases/{case}/plans", json=body, headers=WAIT)
    assert answer.status_code == 200, answer.text
    return answer.headers["content-location"]


# Evaluations


def test_an_evaluation_with_wait_is_returned_and_stored(
    client: httpx.Client, plan: str, data_dir: Path
) -> None:
    answer = client.post(f"{plan}:evaluate-implant", json={"seeds": seeds(fakes.COMPLETE)}, headers=WAIT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["preference-applied"] == "wait=60"
    evaluation = read_evaluation(answer.content)
    assert (
        evaluation.plan_sha256 == plan.rpartition("/")[2]
        and evaluation.achieved.seeds_found == fakes.COMPLETE
    )
    id = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["content-location"] == f"/v1/evaluations/{id}"
    response = client.get(f"/v1/evaluations/{id}")
    uncompressed = client.get(response.url, headers={"Accept-Encoding": "identity"})
    assert (
        response.content == uncompressed.content == answer.content
        and uncompressed.headers["etag"] == f'"{id}"'
    )
    assert f"results/evaluations/{id}.json" in stored(data_dir)
    job = client.get(answer.headers["location"]).json()
    assert job["result"] == f"/v1/evaluations/{id}" and job["plan"] is None and job["state"] == "done"
    problem(client.get(f"/v1/replans/{id}"), "not-found")
    problem(client.get(f"/v1/plans/{id}"), "not-found")


def test_a_supplement_is_a_plan_with_an_address(client: httpx.Client, plan: str) -> None:
    answer = client.post(f"{plan}:evaluate-implant", json={"seeds": seeds(fakes.LACKING)}, headers=WAIT)
    supplement = read_evaluation(answer.content).supplement
    address = client.get(answer.headers["location"]).json()["plan"]
    assert address == f"/v1/plans/{answer.json()['supplement']['plan_sha256']}"
    file = read_plan(client.get(address).content)
    assert file.plan == supplement and file.claimed_sha256 == file.content_sha256


def test_an_evaluation_without_wait_is_a_job(client: httpx.Client, plan: str, case: str) -> None:
    answer = client.post(f"{plan}:evaluate-implant", json={"seeds": seeds(fakes.COMPLETE)})
    assert answer.status_code == 202
    assert answer.json()["case"] == f"/v1/cases/{case}"
    finished_job = until(client, answer.headers["location"], "done")
    assert client.get(finished_job["result"]).json()["schema"] == "seedpath.evaluation/3"


def test_equal_evaluations_have_one_address(client: httpx.Client, plan: str, data_dir: Path) -> None:
    body = {"seeds": seeds(fakes.COMPLETE)}
    first = client.post(f"{plan}:evaluate-implant", json=body, headers=WAIT)
    before = stored(data_dir)
    response = client.post(f"{plan}:evaluate-implant", json=body, headers=WAIT)
    assert response.content == first.content and stored(data_dir) == before


# Replannings


def test_a_replanning_is_stored_with_its_plan(client: httpx.Client, plan: str, data_dir: Path) -> None:
    body = {"needles": [NEEDLE, NEW_NEEDLE], "seeds": seeds(fakes.COMPLETE)}
    answer = client.post(f"{plan}:replan", json=body, headers=WAIT)
    assert answer.status_code == 200, answer.text
    replanning = read_replanned(answer.content)
    assert replanning.plan.outcome.message == "2 needles as measured."
    id = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["content-location"] == f"/v1/replans/{id}"
    assert client.get(f"/v1/replans/{id}").content == answer.content
    assert f"results/replans/{id}.json" in stored(data_dir)
    job = client.get(answer.headers["location"]).json()
    sha256 = answer.json()["plan"]["plan_sha256"]
    assert job["result"] == f"/v1/replans/{id}" and job["plan"] == f"/v1/plans/{sha256}"
    assert read_plan(client.get(job["plan"]).content).plan == replanning.plan
    # The new plan can be replanned in turn.
    assert client.post(f"{job['plan']}:replan", json={"needles": [NEEDLE]}, headers=WAIT).status_code == 200


def test_the_result_of_a_planning_job_is_its_plan(client: httpx.Client, case: str) -> None:
    job = client.post(f"/v1/cases/{case}/plans", json={}).headers["location"]
    finished_job = until(client, job, "done")
    assert finished_job["result"] == finished_job["plan"] and finished_job["plan"].startswith("/v1/plans/")


def test_a_replanning_shows_progress_and_can_be_cancelled(client: httpx.Client, plan: str, case: str) -> None:
    body = {"needles": [NEEDLE], "seeds": seeds(fakes.UNTIL_CANCELLED)}
    job = client.post(f"{plan}:replan", json=body).headers["location"]
    until(client, job, "running")
    problem(client.delete(f"/v1/cases/{case}"), "conflict")
    cancelled_job = client.delete(job).json()
    assert (
        cancelled_job["state"] == "cancelled"
        and cancelled_job["plan"] is None
        and cancelled_job["result"] is None
    )


# Which case


def test_the_case_may_be_named(client: httpx.Client, plan: str, case: str) -> None:
    body = {"seeds": seeds(fakes.COMPLETE), "case": case}
    assert client.post(f"{plan}:evaluate-implant", json=body, headers=WAIT).status_code == 200
    problem_json = problem(
        client.post(f"{plan}:evaluate-implant", json=body | {"case": "0" * 64}), "invalid-request"
    )
    assert [e["pointer"] for e in problem_json["errors"]] == ["/case"] and "POST /v1/cases" in problem_json[
        "detail"
    ]


def test_the_case_of_a_plan_is_found_by_its_inputs(client: httpx.Client, data_dir: Path) -> None:
    files = (("file", "a.nii", b"image"), ("target", "gtv.nii", b"gtv"))
    first = client.post("/v1/cases", **upload(*files)).json()["id"]
    plan = make_plan(client, first)
    body: dict[str, Any] = {"needles": [NEEDLE]}
    job = client.post(f"{plan}:replan", json=body).json()
    assert job["case"] == f"/v1/cases/{first}"
    until(client, f"/v1/jobs/{job['id']}", "done")

    # The same files in other parts are another case of the same inputs, and so of the same plan.
    other_parts = (("file", "a.nii", b"image"), ("ct", "gtv.nii", b"gtv"))
    second = client.post("/v1/cases", **upload(*other_parts)).json()["id"]
    assert make_plan(client, second) == plan
    problem_json = problem(client.post(f"{plan}:replan", json=body), "conflict")
    assert first in problem_json["detail"] and second in problem_json["detail"]
    assert [e["pointer"] for e in problem_json["errors"]] == ["/case"]
    answer = client.post(f"{plan}:replan", json=body | {"case": first}, headers=WAIT)
    assert answer.status_code == 200, answer.text

    other = client.post("/v1/cases", **upload(("file", "b.nii", b"other"))).json()["id"]
    problem_json = problem(client.post(f"{plan}:replan", json=body | {"case": other}), "conflict")
    assert "other files" in problem_json["detail"]

    # The files of a plan stay as long as the plan does.
    for address in (first, second, other):
        assert client.delete(f"/v1/cases/{address}").status_code == 204
        problem(client.get(f"/v1/cases/{address}"), "not-found")
    assert "several cases" in problem(client.post(f"{plan}:replan", json=body), "conflict")["detail"]
    assert (data_dir / "cases" / first).is_dir() and not (data_dir / "cases" / other).exists()
    problem(client.post(f"{plan}:replan", json=body | {"case": other}), "invalid-request")


# Problems

BODIES: dict[str, tuple[str, Any, str, list[str]]] = {
    "no seeds": ("evaluate-implant", {"seeds": []}, "invalid-request", ["/seeds"]),
    "no list of seeds": ("evaluate-implant", {}, "invalid-request", ["/seeds"]),
    "an unknown field": (
        "evaluate-implant",
        {"seeds": seeds(1), "needles": []},
        "invalid-request",
        ["/needles"],
    ),
    "two coordinates": (
        "evaluate-implant",
        {"seeds": [{"position_mm": [1, 2]}]},
        "invalid-request",
        ["/seeds/0/position_mm/2"],
    ),
    "an axis that is none": (
        "evaluate-implant",
        {"seeds": [seeds(1)[0] | {"axis": [0, 0, 2]}]},
        "invalid-request",
        ["/seeds/0/axis/2"],
    ),
    "too many seeds": ("evaluate-implant", {"seeds": seeds(501)}, "invalid-request", ["/seeds"]),
    "a case that is no id": (
        "evaluate-implant",
        {"seeds": seeds(1), "case": "thorax"},
        "invalid-request",
        ["/case"],
    ),
    "no needles": ("replan", {"needles": []}, "invalid-request", ["/needles"]),
    "a needle that is none": (
        "replan",
        {"needles": [NEEDLE | {"tip_mm": NEEDLE["entry_mm"]}]},
        "invalid-request",
        ["/needles/0"],
    ),
    "half a text": ("replan", b'{"needles": [', "malformed-json", []),
    "much": ("replan", b" " * 1_000_001, "too-large", []),
}


@pytest.mark.parametrize("name", BODIES)
def test_an_invalid_body_is_answered_with_its_fields(client: httpx.Client, plan: str, name: str) -> None:
    action, body, kind, pointers = BODIES[name]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(f"{plan}:{action}", content=content, headers={"content-type": "application/json"})
    assert [e["pointer"] for e in problem(answer, kind)["errors"]] == pointers


@pytest.mark.parametrize("action", ["evaluate-implant", "replan"])
def test_an_impossible_evaluation_or_replanning_is_a_problem(
    client: httpx.Client, plan: str, case: str, action: str
) -> None:
    body = {"seeds": seeds(1)} if action == "evaluate-implant" else {"needles": [NEEDLE]}
    problem(client.post(f"/v1/plans/{'0' * 64}:{action}", json=body), "not-found")
    problem(client.post(f"/v1/plans/x:{action}", json=body), "not-found")
    answer = client.post(f"{plan}:{action}", content=b"{}", headers={"content-type": "text/plain"})
    assert f'{{"{next(iter(body))}": [' in problem(answer, "unsupported-media-type")["detail"]
    without_prescription = make_plan(client, case, prescription=None)
    problem_json = problem(client.post(f"{without_prescription}:{action}", json=body), "conflict")
    assert "no prescription" in problem_json["detail"]


def test_a_plan_without_needles_cannot_be_replanned(client: httpx.Client, case: str) -> None:
    without_needles = make_plan(client, case, random_seed=fakes.NO_SEED_MAY_STAND)
    problem_json = problem(client.post(f"{without_needles}:replan", json={"needles": [NEEDLE]}), "conflict")
    assert "no needle set" in problem_json["detail"]


def test_a_refusal_of_the_planner_is_reported_with_its_field(client: httpx.Client, plan: str) -> None:
    body = {"needles": [NEEDLE], "seeds": seeds(fakes.REFUSED)}
    problem_json = problem(client.post(f"{plan}:replan", json=body, headers=WAIT), "unusable-input")
    assert problem_json["errors"] == [
        {"pointer": "/needles/0/path_id", "detail": "'N9' is not a path of the plan. Known: N1, N2."}
    ]


@pytest.mark.long
def test_a_dead_worker_is_reported_and_the_service_continues(client: httpx.Client, plan: str) -> None:
    body = {"seeds": seeds(fakes.BROKEN)}
    problem(client.post(f"{plan}:evaluate-implant", json=body, headers=WAIT), "failed")
    body = {"seeds": seeds(fakes.COMPLETE)}
    assert client.post(f"{plan}:evaluate-implant", json=body, headers=WAIT).status_code == 200


@pytest.mark.parametrize(
    ("old", "new"), [('"dose"', '"doses"'), ("2 needles", "3 needles"), ('"GTV"', "GTV")]
)
def test_an_altered_stored_plan_is_reported_as_damaged(
    client: httpx.Client, case: str, data_dir: Path, old: str, new: str
) -> None:
    plan = make_plan(client, case, random_seed=len(old + new))
    file = data_dir / "plans" / f"{plan.rpartition('/')[2]}.json"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    for answer in (client.post(f"{plan}:replan", json={"needles": [NEEDLE]}), client.get(plan)):
        problem_json = problem(answer, "damaged")
        assert f"plans/{file.name}" in problem_json["detail"] and str(data_dir) not in problem_json["detail"]
    # The remedy in the message: the same request writes the plan again.
    assert make_plan(client, case, random_seed=len(old + new)) == plan
    assert file.read_text(encoding="utf-8") == text


def test_an_intact_plan_of_another_version_is_returned_but_not_replanned(
    client: httpx.Client, plan: str, data_dir: Path
) -> None:
    id = plan.rpartition("/")[2]
    text = (data_dir / "plans" / f"{id}.json").read_text(encoding="utf-8")
    line = f' "plan_sha256": "{id}",\n'
    assert line in text
    content = text.replace(line, "").replace("seedpath.plan/3", "seedpath.plan/1")
    old_id = hashlib.sha256(content.encode()).hexdigest()
    old = text.replace(id, old_id).replace("seedpath.plan/3", "seedpath.plan/1")
    (data_dir / "plans" / f"{old_id}.json").write_text(old, encoding="utf-8")
    with contextlib.closing(sqlite3.connect(data_dir / "seedpath.sqlite")) as database:
        database.execute(
            "INSERT INTO holdings (owner, kind, id, case_id, created_s) "
            "SELECT owner, kind, ?, case_id, created_s FROM holdings WHERE id = ?",
            (old_id, id),
        )
        database.commit()
    address = f"/v1/plans/{old_id}"
    assert client.get(address).text == old
    problem_json = problem(client.post(f"{address}:replan", json={"needles": [NEEDLE]}), "conflict")
    assert "another version" in problem_json["detail"] and address in problem_json["detail"]
    assert "damaged" not in problem_json["detail"]
    assert client.delete(address).status_code == 204


@pytest.mark.parametrize("kind", ["evaluations", "replans"])
@pytest.mark.parametrize("id", ["x", "0" * 64, "..%2f..%2fx"])
def test_a_missing_result_is_a_problem(client: httpx.Client, kind: str, id: str) -> None:
    problem(client.get(f"/v1/{kind}/{id}"), "not-found")


# What is documented


def test_openapi_describes_bodies_and_answers(client: httpx.Client) -> None:
    document = client.get("/v1/openapi.json").json()
    schemas = document["components"]["schemas"]
    for action, body, answer in (
        ("evaluate-implant", "EvaluateBody", "EvaluationModel"),
        ("replan", "ReplanBody", "ReplannedModel"),
    ):
        operation = document["paths"][f"/v1/plans/{{plan_id}}:{action}"]["post"]
        content = operation["requestBody"]["content"]["application/json"]
        assert content["schema"]["$ref"].endswith(f"/{body}") and body in schemas
        assert schemas[body]["additionalProperties"] is False
        model_reference = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        assert model_reference.endswith(f"/{answer}")
        statuses = {"202", "400", "403", "404", "409", "413", "415", "422", "500", "503"}
        assert statuses <= set(operation["responses"])
        assert [p["name"] for p in operation["parameters"] if p["in"] == "header"] == [
            "Prefer",
            "Idempotency-Key",
            "X-Request-ID",
        ]
    assert {"result", "plan"} <= set(schemas["JobModel"]["properties"])
    text = json.dumps(document)
    for name in set(part.split('"')[0] for part in text.split("#/components/schemas/")[1:]):
        assert name in schemas, name
    assert "$defs" not in text


@pytest.mark.parametrize("action", ["evaluate-implant", "replan"])
def test_the_openapi_example_runs(client: httpx.Client, plan: str, action: str) -> None:
    document = client.get("/v1/openapi.json").json()
    operation = document["paths"][f"/v1/plans/{{plan_id}}:{action}"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    answer = client.post(f"{plan}:{action}", json=example, headers=WAIT)
    assert answer.status_code == 200, answer.text

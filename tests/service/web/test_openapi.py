"""openapi.json compared with a real application: its examples run, and answers are as documented."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import instant_work
import pytest
import schemathesis
from phantom import write_phantom
from rest_calls import GENEROUS_S, problem, until, upload
from schemathesis.schemas import BaseSchema

from service.interactive import appraisers
from service.settings import Settings
from service.web.app import create_app
from service.web.server import serve_in_background

WITH_BODIES = {"add_case", "add_plan", "evaluate_paths", "evaluate_implant", "replan", "case_slices"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    with (
        pytest.MonkeyPatch.context() as patch,
        serve_in_background(create_app(settings, instant_work.WORK)) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        patch.setattr(appraisers, "appraise", instant_work.appraise)
        patch.setattr(appraisers, "cut", instant_work.cut)
        yield client


@pytest.fixture(scope="module")
def schema(client: httpx.Client) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{client.base_url}/v1/openapi.json")


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    openapi: dict[str, Any] = client.get("/v1/openapi.json").json()
    return openapi


@pytest.fixture(scope="module")
def ids(client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Values of all path parameters, of existing objects."""
    phantom_folder = write_phantom(tmp_path_factory.mktemp("phantom"))
    parts = [
        (p, n, (phantom_folder / n).read_bytes())
        for p, n in (("file", "labels.nii.gz"), ("names", "labels.json"))
    ]
    case = client.post("/v1/cases", **upload(*parts)).headers["location"]
    id_by_name = {"case_id": case, "kind": "/not-found"}
    plan = _result_of(client, f"{case}/plans", {}, id_by_name, "plan_id")
    _result_of(
        client,
        f"{plan}:evaluate-implant",
        {"seeds": [{"position_mm": [0, 0, 0]}]},
        id_by_name,
        "evaluation_id",
    )
    needle = {"entry_mm": [0, 0, 9], "tip_mm": [0, 0, 0]}
    _result_of(client, f"{plan}:replan", {"needles": [needle]}, id_by_name, "replan_id")
    return {name: address.rpartition("/")[2] for name, address in id_by_name.items()}


def _result_of(client: httpx.Client, address: str, body: Any, id_by_name: dict[str, str], name: str) -> str:
    job = client.post(address, json=body).headers["location"]
    id_by_name["job_id"] = job
    id_by_name[name] = str(until(client, job, "done")["result"])
    return id_by_name[name]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_operation_ids_are_unique_and_valid_in_generated_clients(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    # Generated clients use them as names of functions.
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


def test_every_json_body_and_every_reserved_header_has_an_example(document: dict[str, Any]) -> None:
    operations_with_body = set()
    for _, _, operation in operations(document):
        if "requestBody" in operation:
            operations_with_body.add(operation["operationId"])
            assert "example" in operation["requestBody"]["content"]["application/json"]
        for parameter in operation.get("parameters", ()):
            # An ETag in an example would not match any resource.
            if parameter["in"] == "header" and not parameter["name"].startswith("If-"):
                assert "example" in parameter
    assert operations_with_body == WITH_BODIES


def test_every_operation_is_answered_as_documented(
    schema: BaseSchema, document: dict[str, Any], ids: dict[str, str]
) -> None:
    """With the examples of its body and headers, on existing objects; removals come last."""
    tested = []
    for path, method, operation in sorted(operations(document), key=lambda entry: entry[1] == "delete"):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        parameters = operation.get("parameters", ())
        headers = {p["name"]: p["example"] for p in parameters if p["in"] == "header" and "example" in p}
        path_parameters = {p["name"]: ids[p["name"]] for p in parameters if p["in"] == "path"}
        arguments: dict[str, Any] = {"path_parameters": path_parameters, "headers": headers}
        if body is not None:
            arguments |= {"body": body, "media_type": "application/json"}
        case = schema[path][method.upper()].Case(**arguments)
        answer = case.call_and_validate(timeout=GENEROUS_S)
        assert 200 <= answer.status_code < 300, (path, method, answer.status_code, answer.text)
        tested.append(operation["operationId"])
    assert set(tested) >= WITH_BODIES and len(tested) == len(list(operations(document)))


def test_a_form_accepts_only_the_documented_parts(client: httpx.Client, document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/cases"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert content["schema"]["additionalProperties"] is False
    documented_parts = content["schema"]["properties"]
    files = [
        (name, f"{name}.nii", name.encode())
        for name in documented_parts
        if "enum" not in documented_parts[name]
    ]
    texts = [
        (name, None, part["enum"][0].encode()) for name, part in documented_parts.items() if "enum" in part
    ]
    parts = [*files, *texts]
    assert client.post("/v1/cases", **upload(*parts)).status_code == 201
    other = client.post("/v1/cases", **upload(*parts, ("mask", "m.nii", b"m")))
    problem(other, "malformed-upload")


def header_pattern(document: dict[str, Any], path: str, method: str, name: str) -> re.Pattern[str]:
    parameters = document["paths"][path][method]["parameters"]
    return re.compile(next(p for p in parameters if p["name"] == name)["schema"]["pattern"])


@pytest.mark.parametrize("last_event_id", ["", "0", "7", "123456789", "1234567890", "-1", "x", "1.5"])
def test_the_pattern_of_last_event_id_matches_the_accepted_values(
    client: httpx.Client, document: dict[str, Any], ids: dict[str, str], last_event_id: str
) -> None:
    pattern = header_pattern(document, "/v1/jobs/{job_id}/events", "get", "Last-Event-ID")
    answer = client.get(f"/v1/jobs/{ids['job_id']}/events", headers={"Last-Event-ID": last_event_id})
    assert (answer.status_code in (200, 204)) is (pattern.search(last_event_id) is not None)


@pytest.mark.parametrize("key", ["a", '"a"', "~" * 200, "", '""', '"', "a b", 'a"b', "x" * 201])
def test_the_pattern_of_idempotency_key_matches_the_accepted_values(
    client: httpx.Client, document: dict[str, Any], ids: dict[str, str], key: str
) -> None:
    pattern = header_pattern(document, "/v1/cases/{case_id}/plans", "post", "Idempotency-Key")
    address = f"/v1/cases/{client.post('/v1/cases', json={'builtin': 'thorax'}).json()['id']}/plans"
    answer = client.post(address, json={}, headers={"Idempotency-Key": key})
    assert (answer.status_code == 202) is (pattern.search(key) is not None), answer.text

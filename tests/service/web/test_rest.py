"""The service in a real uvicorn on a loopback port: addresses, states, problems, limits."""

import gzip
import io
import json
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nibabel
import numpy as np
import plan_work as fakes
import pytest
from phantom import LABELS, write_phantom
from rest_calls import GENEROUS_S, healthy, problem, stored, until, upload, zipped
from service_process import eventually

from planner import SOFTWARE
from planner.records.plan import SCHEMA
from service.host.loopback import is_loopback
from service.operations.job_tasks import Work
from service.problems import KINDS
from service.schemas.plan.file import read_plan
from service.settings import Settings
from service.web.app import create_app
from service.web.server import serve_in_background


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def base(data_dir: Path) -> Iterator[str]:
    """The address of a service with fake planning and reading."""
    settings = Settings(
        data_dir=data_dir,
        max_upload_bytes=200_000,
        max_unpacked_bytes=400_000,
        max_expansion=3.0,
        max_zip_entries=5,
        max_targets=3,
        max_jobs=3,
        max_finished_jobs=10,
    )
    with serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as address:
        yield address


@pytest.fixture(scope="module")
def client(base: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client:
        yield client


@pytest.fixture(scope="module")
def case(client: httpx.Client) -> str:
    """The address of a case's plans."""
    answer = client.post("/v1/cases", json={"builtin": "thorax"})
    return f"/v1/cases/{answer.json()['id']}/plans"


# About


def test_health_and_version(client: httpx.Client) -> None:
    assert healthy(client)["status"] == "ok"
    assert client.get("/v1/version").json() == {"software": SOFTWARE, "plan_schema": SCHEMA}


@pytest.mark.parametrize("kind", KINDS)
def test_every_problem_type_resolves_to_its_meaning(client: httpx.Client, kind: str) -> None:
    assert client.get(f"/v1/problems/{kind}").json()["meaning"] == KINDS[kind].meaning


def test_openapi_names_every_address_and_resolves(client: httpx.Client) -> None:
    document = client.get("/v1/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/health",
        "/v1/version",
        "/v1/problems/{kind}",
        "/v1/cases",
        "/v1/cases/{case_id}",
        "/v1/cases/{case_id}/plans",
        "/v1/cases/{case_id}/paths:evaluate",
        "/v1/cases/{case_id}/shapes",
        "/v1/cases/{case_id}/slices",
        "/v1/plans",
        "/v1/plans/{plan_id}",
        "/v1/plans/{plan_id}/skin-access",
        "/v1/plans/{plan_id}:evaluate-implant",
        "/v1/plans/{plan_id}:replan",
        "/v1/evaluations/{evaluation_id}",
        "/v1/replans/{replan_id}",
        "/v1/jobs",
        "/v1/jobs/{job_id}",
        "/v1/jobs/{job_id}/events",
    }
    planning = document["paths"]["/v1/cases/{case_id}/plans"]["post"]
    assert {"200", "202", "400", "403", "404", "422", "503"} <= set(planning["responses"])
    assert "application/problem+json" in planning["responses"]["400"]["content"]
    text = json.dumps(document)
    for name in set(part.split('"')[0] for part in text.split("#/components/schemas/")[1:]):
        assert name in document["components"]["schemas"], name
    request = document["components"]["schemas"]["PlanRequest"]
    assert request["additionalProperties"] is False and "required" not in request


def test_the_openapi_example_runs(client: httpx.Client, case: str) -> None:
    document = client.get("/v1/openapi.json").json()
    body = document["paths"]["/v1/cases/{case_id}/plans"]["post"]["requestBody"]["content"]
    example = body["application/json"]["example"]
    assert client.post(case, json=example, headers={"Prefer": "wait=60"}).status_code == 200


# Cases


def test_a_builtin_case_is_made_once(client: httpx.Client) -> None:
    first = client.post("/v1/cases", json={"builtin": "thorax"})
    response = client.post("/v1/cases", json={"builtin": "thorax"})
    assert response.status_code == 200 and response.json() == first.json()
    assert client.get(f"/v1/cases/{first.json()['id']}").json() == first.json()


def test_an_upload_is_named_by_its_content_and_can_be_removed(client: httpx.Client, data_dir: Path) -> None:
    before = stored(data_dir)
    parts = upload(
        ("file", "labels.nii.gz", b"image"),
        ("names", "labels.json", b"{}"),
        ("target", "gtv.nii.gz", b"one"),
        ("target", "gtv.nii.gz", b"two"),
        ("ct", "ct.nii.gz", b"ct"),
    )
    answer = client.post("/v1/cases", **parts)
    assert answer.status_code == 201, answer.text
    address = answer.headers["location"]
    assert address == f"/v1/cases/{answer.json()['id']}"
    assert answer.json()["targets"] == ["gtv.nii.gz", "gtv.nii.gz"]
    assert client.post("/v1/cases", **parts).json() == answer.json()
    other = client.post("/v1/cases", **upload(("file", "labels.nii.gz", b"other")))
    assert other.json()["id"] != answer.json()["id"]
    for case_address in (address, other.headers["location"]):
        assert client.delete(case_address).status_code == 204
        problem(client.get(case_address), "not-found")
        problem(client.delete(case_address), "not-found")
    assert stored(data_dir) == before


def test_a_case_whose_record_is_damaged_can_be_removed(client: httpx.Client, data_dir: Path) -> None:
    before = stored(data_dir)
    address = client.post("/v1/cases", **upload(("file", "a.nii", b"soon damaged"))).headers["location"]
    record = data_dir / "cases" / address.rpartition("/")[2] / "case.json"
    record.write_text(record.read_text(encoding="utf-8").replace('"file"', '"ct"'), encoding="utf-8")
    problem(client.get(address), "damaged")
    problem(client.delete(address, headers={"If-Match": '"x"'}), "precondition-failed")
    assert client.delete(address).status_code == 204
    problem(client.delete(address, headers={"If-Match": '"x"'}), "not-found")
    assert stored(data_dir) == before


def test_a_zip_is_unpacked_without_its_outer_folder(client: httpx.Client) -> None:
    files = (("seg/heart.nii.gz", b"h"), ("seg/aorta.nii.gz", b"a"), ("__MACOSX/seg/._heart.nii.gz", b"x"))
    answer = client.post("/v1/cases", **upload(("file", "seg.zip", zipped(*files))))
    assert answer.status_code == 201, answer.text
    assert [s["name"] for s in answer.json()["structures"]] == ["aorta.nii.gz", "heart.nii.gz"]


def zip_with_link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("heart.nii.gz")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def encrypted_zip() -> bytes:
    data = bytearray(zipped(("heart.nii.gz", b"h")))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


HOSTILE: dict[str, tuple[bytes, str, str]] = {
    "climbs": (zipped(("../heart.nii.gz", b"h")), "malformed-upload", "leads out"),
    "is absolute": (zipped(("/tmp/heart.nii.gz", b"h")), "malformed-upload", "leads out"),
    "has a drive": (zipped(("C:/heart.nii.gz", b"h")), "malformed-upload", "leads out"),
    "has backslashes": (zipped(("..\\heart.nii.gz", b"h")), "malformed-upload", "leads out"),
    "is a link": (zip_with_link(), "malformed-upload", "is a link"),
    "is encrypted": (encrypted_zip(), "malformed-upload", "encrypted"),
    "is rare": (zipped(("a", b"h"), method=zipfile.ZIP_LZMA), "malformed-upload", "rare method"),
    "is scattered": (zipped(("a/h.nii", b"h"), ("b/h.nii", b"h")), "malformed-upload", "several folders"),
    "is empty": (zipped(), "malformed-upload", "no file"),
    "is hidden": (zipped((".heart.nii.gz", b"h")), "malformed-upload", "no file"),
    "is truncated": (zipped(("heart.nii.gz", b"h" * 999))[:-30], "malformed-upload", "damaged"),
    "has many files": (zipped(*((f"{n}.nii", b"h") for n in range(6))), "too-large", "more than 5"),
    "expands": (zipped(("heart.nii", b"\0" * 300_000)), "too-large", "unpacks to more"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_zip_leaves_no_files(client: httpx.Client, data_dir: Path, name: str) -> None:
    before = stored(data_dir)
    content, kind, message = HOSTILE[name]
    problem_json = problem(client.post("/v1/cases", **upload(("file", "seg.zip", content))), kind)
    assert message in problem_json["detail"]
    assert [e["pointer"] for e in problem_json["errors"]] == ["/file"]
    assert stored(data_dir) == before
    assert not Path("/tmp/heart.nii.gz").exists()


BAD_FORMS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no file": (upload(("ct", "ct.nii.gz", b"ct")), "malformed-upload", "'file' is missing"),
    "an unknown part": (
        upload(("file", "a.nii", b"a"), ("mask", "b.nii", b"b")),
        "malformed-upload",
        "Unknown part 'mask'",
    ),
    "two files": (upload(("file", "a.nii", b"a"), ("file", "b.nii", b"b")), "malformed-upload", "once"),
    "a path for a name": (
        upload(("file", "../../a.nii", b"a")),
        "malformed-upload",
        "not a usable file name",
    ),
    "a hidden name": (upload(("file", ".a.nii", b"a")), "malformed-upload", "not a usable file name"),
    "a long name": (upload(("file", "a" * 300, b"a")), "malformed-upload", "not a usable file name"),
    "too many targets": (
        upload(("file", "a.nii", b"a"), *(("target", f"{n}.nii", b"t") for n in range(7))),
        "malformed-upload",
        "Too many files",
    ),
    "a field that is no file": (
        {"data": {"file": "text"}, "files": [("ct", ("ct", b"x"))]},
        "malformed-upload",
        "The part 'file' is not a file",
    ),
    "too much": (upload(("file", "a.nii", b"a" * 250_000)), "too-large", "larger than"),
    "an unreadable image": (upload(("file", "a.nii", b"bad")), "unusable-input", "is no image"),
    "no boundary": (
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        "malformed-upload",
        "boundary",
    ),
    "no parts": (
        {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}},
        "malformed-upload",
        "",
    ),
    "another type": (
        {"content": b"x", "headers": {"content-type": "text/plain"}},
        "unsupported-media-type",
        "multipart/form-data",
    ),
    "no type": ({"content": b"x"}, "unsupported-media-type", "multipart/form-data"),
    "broken JSON": (
        {"content": b"{", "headers": {"content-type": "application/json"}},
        "malformed-json",
        "line 1",
    ),
    "much JSON": (
        {"content": b" " * 2000, "headers": {"content-type": "application/json"}},
        "too-large",
        "1000 bytes",
    ),
    "another built-in": ({"json": {"builtin": "skull"}}, "invalid-request", "wrong"),
}


POINTERS = {
    "an unknown part": "/mask",
    "too many targets": "",
    "a field that is no file": "",
    "no boundary": "",
    "no parts": "",
}
"""Pointers to the error of malformed forms, where it is not "/file"."""


@pytest.mark.parametrize("name", BAD_FORMS)
def test_an_invalid_form_leaves_no_files(client: httpx.Client, data_dir: Path, name: str) -> None:
    before = stored(data_dir)
    form, kind, message = BAD_FORMS[name]
    answer = client.post("/v1/cases", **form)
    problem_json = problem(answer, kind)
    assert message in problem_json["detail"]
    if kind == "malformed-upload":
        assert [e["pointer"] for e in problem_json["errors"]] == [POINTERS.get(name, "/file")]
        assert all(e["detail"] for e in problem_json["errors"])
    assert str(data_dir) not in answer.text
    assert stored(data_dir) == before


def test_a_body_without_a_stated_length_is_limited_too(client: httpx.Client) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.nii"\r\n\r\n'

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(40):
            yield b"a" * 10_000
        yield b"\r\n--b--\r\n"

    kind = {"content-type": "multipart/form-data; boundary=b"}
    problem(client.post("/v1/cases", content=pieces(), headers=kind), "too-large")


def test_an_interrupted_upload_leaves_no_files(base: str, client: httpx.Client, data_dir: Path) -> None:
    healthy(client)
    # Files of an earlier upload may still be there and be removed meanwhile.
    before = set(stored(data_dir))
    address = httpx.URL(base)
    with socket.create_connection((address.host, address.port)) as raw:
        raw.sendall(
            b"POST /v1/cases HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.nii"\r\n\r\nabc'
        )
    eventually(lambda: set(stored(data_dir)) <= before)
    healthy(client)


# Plans and jobs


def test_a_plan_with_wait_is_returned_and_stored(client: httpx.Client, case: str) -> None:
    answer = client.post(case, json={}, headers={"Prefer": "respond-async, wait=60"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["preference-applied"] == "wait=60"
    file = read_plan(answer.content)
    assert file.claimed_sha256 == file.content_sha256
    address = f"/v1/plans/{file.claimed_sha256}"
    assert answer.headers["content-location"] == address
    response = client.get(address)
    assert response.content == answer.content
    uncompressed = client.get(address, headers={"Accept-Encoding": "identity"})
    assert (
        uncompressed.content == answer.content and uncompressed.headers["etag"] == f'"{file.claimed_sha256}"'
    )
    assert client.post(case, json={}, headers={"Prefer": "wait=60"}).content == answer.content


def test_a_plan_without_wait_is_a_job(client: httpx.Client, case: str) -> None:
    answer = client.post(case, json={})
    assert answer.status_code == 202
    job = answer.headers["location"]
    assert job == f"/v1/jobs/{answer.json()['id']}"
    finished_job = until(client, job, "done")
    assert finished_job["problem"] is None
    assert client.get(finished_job["plan"]).status_code == 200
    assert client.delete(job).json()["state"] == "done"


def test_progress_is_reported_and_jobs_can_be_cancelled(client: httpx.Client, case: str) -> None:
    body = {"random_seed": fakes.UNTIL_CANCELLED}
    running_job = client.post(case, json=body).headers["location"]
    queued_job = client.post(case, json=body).headers["location"]
    until(client, running_job, "running")
    deadline_s = time.monotonic() + GENEROUS_S
    while client.get(running_job).json()["progress"] is None and time.monotonic() < deadline_s:
        time.sleep(0.02)
    progress = client.get(running_job).json()["progress"]
    # On a slow machine the time left is already estimated.
    left_s = progress.pop("left_s")
    assert progress == {"phase": "search", "fraction": 0.25} and (left_s is None or left_s > 0.0)
    assert client.get(queued_job).json()["state"] == "queued"
    problem(client.delete(case.removesuffix("/plans")), "conflict")
    while client.get("/v1/health").json()["jobs"]["running"] != 1 and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert client.get("/v1/health").json()["jobs"]["running"] == 1
    # One of three slots is free, then none.
    last_job = client.post(case, json=body).headers["location"]
    problem(client.post(case, json=body), "busy")
    for job in (last_job, queued_job):
        assert client.delete(job).json()["state"] == "cancelled"
    cancelled_job = client.delete(running_job).json()
    assert cancelled_job["state"] == "cancelled" and cancelled_job["plan"] is None
    # The worker is free again.
    assert client.post(case, json={}, headers={"Prefer": "wait=60"}).status_code == 200


def test_a_wait_that_is_too_short_ends_in_a_job(client: httpx.Client, case: str) -> None:
    body = {"random_seed": fakes.UNTIL_CANCELLED}
    answer = client.post(case, json=body, headers={"Prefer": "wait=0"})
    assert answer.status_code == 202
    client.delete(answer.headers["location"])
    until(client, answer.headers["location"], "cancelled")


@pytest.mark.parametrize("preference", ["wait=soon", "wait=-1", "return=minimal", ""])
def test_an_invalid_preference_is_ignored(client: httpx.Client, case: str, preference: str) -> None:
    answer = client.post(case, json={}, headers={"Prefer": preference})
    assert answer.status_code == 202
    until(client, answer.headers["location"], "done")


def test_input_that_cannot_be_used_is_reported_with_its_field(client: httpx.Client, case: str) -> None:
    body = {"random_seed": fakes.REFUSED}
    problem_json = problem(client.post(case, json=body, headers={"Prefer": "wait=60"}), "unusable-input")
    assert problem_json["errors"] == [
        {"pointer": "/target/structure", "detail": "'x' is not in the input. Known: y."}
    ]
    job = until(client, client.post(case, json=body).headers["location"], "failed")
    assert job["problem"] == problem_json


def test_paths_of_this_machine_are_removed_from_messages(client: httpx.Client, data_dir: Path) -> None:
    location = client.post("/v1/cases", **upload(("file", "b.nii", b"path"))).headers["location"]
    body = {"random_seed": fakes.PATH_IN_MESSAGE}
    answer = client.post(f"{location}/plans", json=body, headers={"Prefer": "wait=60"})
    assert "file/b.nii is damaged" in problem(answer, "unusable-input")["detail"]
    assert str(data_dir) not in answer.text


@pytest.mark.parametrize("ending", [fakes.BROKEN, fakes.KILLED])
def test_a_fault_is_reported_without_its_traceback_and_the_service_continues(
    client: httpx.Client, case: str, ending: int
) -> None:
    answer = client.post(case, json={"random_seed": ending}, headers={"Prefer": "wait=60"})
    problem(answer, "failed")
    assert "secret" not in answer.text
    assert client.post(case, json={}, headers={"Prefer": "wait=60"}).status_code == 200


BAD_REQUESTS: dict[str, tuple[bytes, str, list[str]]] = {
    "an unknown field": (b'{"exports": ["dicom"]}', "invalid-request", ["/exports"]),
    "false for a number": (b'{"target": {"margin_mm": false}}', "invalid-request", ["/target/margin_mm"]),
    "an absurd number": (b'{"needle": {"max_length_mm": 1e9}}', "invalid-request", ["/needle/max_length_mm"]),
    "NaN": (b'{"target": {"margin_mm": NaN}}', "malformed-json", []),
    "half a text": (b'{"target": {', "malformed-json", []),
    "no text": (b"", "malformed-json", []),
    "a number too large for a float": (
        b'{"target": {"margin_mm": 1e999}}',
        "invalid-request",
        ["/target/margin_mm"],
    ),
    "a nest": (b"[" * 50_000, "malformed-json", []),
    "too much": (b" " * 1_000_001, "too-large", []),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_an_invalid_request_is_answered_with_its_fields(client: httpx.Client, case: str, name: str) -> None:
    content, kind, pointers = BAD_REQUESTS[name]
    answer = client.post(case, content=content, headers={"content-type": "application/json; charset=utf-8"})
    assert [e["pointer"] for e in problem(answer, kind)["errors"]] == pointers


def test_a_request_of_another_type_is_refused(client: httpx.Client, case: str) -> None:
    problem(
        client.post(case, content=b"{}", headers={"content-type": "text/plain"}), "unsupported-media-type"
    )


@pytest.mark.parametrize(
    "address",
    [
        "/v1/jobs/x",
        "/v1/plans/x",
        "/v1/cases/x",
        f"/v1/plans/{'0' * 64}",
        "/v1/plans/..%2f..%2fx",
        "/page",
        "/v1",
    ],
)
def test_an_unknown_address_is_a_problem(client: httpx.Client, address: str) -> None:
    problem(client.get(address), "not-found")


def test_planning_a_missing_case_is_a_problem(client: httpx.Client) -> None:
    problem(client.post(f"/v1/cases/{'0' * 64}/plans", json={}), "not-found")


def test_a_wrong_method_is_a_problem(client: httpx.Client) -> None:
    answer = client.put("/v1/health")
    problem(answer, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


# Hosts and proxies


@pytest.mark.parametrize(
    "host", ["example.org", "192.168.0.7", "localhost.example.org", "0.0.0.0", "x{.example.org"]
)
def test_a_request_to_another_host_name_is_refused(client: httpx.Client, host: str) -> None:
    problem(client.get("/v1/health", headers={"Host": host}), "not-local")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
def test_a_request_forwarded_by_a_proxy_is_refused(client: httpx.Client, header: str) -> None:
    problem(client.get("/v1/version", headers={header: "127.0.0.1"}), "not-local")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "example.org", "127.0.0.1.example.org"])
def test_other_machines_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


# A complete run


def test_an_upload_is_planned_end_to_end(tmp_path: Path) -> None:
    folder = write_phantom(tmp_path)
    (folder / "labels.json").write_text(json.dumps({**LABELS, "6": "gtv"}), encoding="utf-8")
    files = [(part, folder / name) for part, name in (("file", "labels.nii.gz"), ("names", "labels.json"))]
    parts = upload(*((part, path.name, path.read_bytes()) for part, path in files))
    headers = {"Prefer": "wait=600"}
    with (
        serve_in_background(create_app(Settings(data_dir=tmp_path / "data"))) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=10 * GENEROUS_S) as client,
    ):
        problem_json = problem(client.post("/v1/cases", files=parts["files"][:1]), "unusable-input")
        assert "by the part 'names'" in problem_json["detail"] and "--" not in json.dumps(problem_json)
        zeros = nibabel.Nifti1Image(np.zeros((80, 80, 80), np.uint8), np.diag([-2.0, -2.0, 2.0, 1.0]))
        empty = [("target", ("gtv.nii.gz", gzip.compress(zeros.to_bytes())))]
        problem_json = problem(client.post("/v1/cases", files=parts["files"] + empty), "unusable-input")
        assert problem_json["errors"] == [
            {
                "pointer": "/target",
                "detail": "gtv.nii.gz: the target is empty: no voxel is set. Segment it, and save it again.",
            }
        ]
        truncated = upload(("file", "labels.nii.gz", files[0][1].read_bytes()[:2000]))["files"]
        problem_json = problem(
            client.post("/v1/cases", files=truncated + parts["files"][1:]), "unusable-input"
        )
        assert problem_json["errors"][0]["pointer"] == "/file"
        assert str(tmp_path) not in json.dumps(problem_json)

        case = client.post("/v1/cases", **parts)
        assert case.status_code == 201, case.text
        roles = {s["name"]: s["role"] for s in case.json()["structures"]}
        assert roles == {
            "body": "skin",
            "lung_left": "lung",
            "aorta": "forbidden",
            "node_4R": "target",
            "spinal_cord": "forbidden",
            "gtv": "target",
        }
        assert case.json()["notes"] == ["Empty and left out: gtv."]
        assert case.json()["grid"] == {
            "shape": [80, 80, 80],
            "spacing_mm": [2.0, 2.0, 2.0],
        }
        plans = f"{case.headers['location']}/plans"
        for body, pointer in (
            ({"target": {"structure": "node_4r"}}, "/target/structure"),
            ({"target": {"structure": "gtv"}}, "/target/structure"),
            # It is a target by its name, so it is used where no other is requested.
            ({}, "/target/structure"),
            ({"target": {"structure": "node_4R"}, "clearance_mm": {"aota": 9}}, "/clearance_mm/aota"),
            ({"roles": {"a/b~c": "lung"}}, "/roles/a~1b~0c"),
        ):
            problem_json = problem(client.post(plans, json=body, headers=headers), "unusable-input")
            assert problem_json["errors"][0]["pointer"] == pointer
        coarse = {"covering_radius_mm": 4, "field_resolution_mm": 2}
        request = {"target": {"structure": "node_4R", "margin_mm": 0}, "search": coarse}
        answer = client.post(plans, json=request, headers=headers)
        assert answer.status_code == 200, answer.text
        file = read_plan(answer.content)
        assert file.claimed_sha256 == file.content_sha256
        plan = file.plan
        assert plan.outcome.status == "planned"
        assert plan.verification is not None and plan.verification.passed
        assert plan.request.target.structures == ("node_4R",)
        assert [p.rank for p in plan.paths] == list(range(1, len(plan.paths) + 1))
        assert [{"name": i.name, "sha256": i.sha256} for i in plan.inputs] == case.json()["inputs"]

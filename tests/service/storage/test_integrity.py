"""Stored files are compared with their sha256: a route that needs a damaged file reports it and answers no
data of it. The same upload, or the same request, repairs it."""

import json
import os
import random
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import integrity_work as fakes
import pytest
from case_files import body_labels, write_nifti
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from one_of_everything import CASE_FILES, KINDS, NEEDLE, READING, WAIT, WORKING, Kept, answer_of, everything
from rest_calls import problem, stored, until, upload, zipped
from websockets.sync.client import connect

from service.host import damaged_file as damage
from service.host.digests import Digests


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def client(data_dir: Path) -> Iterator[httpx.Client]:
    with fakes.served(data_dir) as client:
        yield client


@pytest.fixture(scope="module")
def case_upload(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A form with a file for each part."""
    folder = fakes.write_case(tmp_path_factory.mktemp("sent"))
    return upload(*((part, name, (folder / name).read_bytes()) for part, name in fakes.PARTS.items()))


@pytest.fixture(scope="module")
def everything_kept(client: httpx.Client, case_upload: dict[str, Any], data_dir: Path) -> Kept:
    return everything(client, case_upload, data_dir)


@pytest.fixture(scope="module")
def undamaged(everything_kept: Kept) -> dict[str, bytes]:
    """The bytes of each kind of file."""
    return {kind: file.read_bytes() for kind, file in everything_kept.files.items()}


@pytest.fixture(autouse=True)
def restore_files(everything_kept: Kept, undamaged: dict[str, bytes]) -> Iterator[None]:
    yield
    for kind, file in everything_kept.files.items():
        fakes.bring_back(file, undamaged[kind])


@pytest.mark.parametrize("name", READING)
def test_undamaged_files_are_answered(
    client: httpx.Client, everything_kept: Kept, undamaged: dict[str, bytes], name: str
) -> None:
    route = READING[name]
    response = answer_of(client, everything_kept, route)
    assert response.status_code == 200, response.text
    assert route.answers is None or response.content == undamaged[route.answers]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(fakes.DAMAGES), st.integers(0, 2**32))
def test_no_route_answers_with_damaged_data(
    client: httpx.Client,
    everything_kept: Kept,
    undamaged: dict[str, bytes],
    kind: str,
    damage: Callable[[Path, random.Random], None],
    seed: int,
) -> None:
    file = everything_kept.files[kind]
    fakes.bring_back(file, undamaged[kind])
    damage(file, random.Random(seed))
    if file.is_file() and file.read_bytes() == undamaged[kind]:
        # The same bits were changed twice.
        return
    for name, route in READING.items():
        response = answer_of(client, everything_kept, route)
        if kind in route.needs:
            problem_json = problem(response, "damaged")
            assert everything_kept.damaged_in(problem_json) == [kind], (name, problem_json)
            assert "POST" in problem_json["detail"] and str(file.parents[2]) not in problem_json["detail"]
        else:
            assert response.status_code == 200, (name, response.text)
            assert route.answers is None or response.content == undamaged[route.answers], name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WORKING)
def test_work_on_damaged_data_fails_once_and_reports_it(
    client: httpx.Client, everything_kept: Kept, name: str, kind: str
) -> None:
    route = WORKING[name]
    fakes.flip(everything_kept.files[kind], random.Random(name + kind))
    response = answer_of(client, everything_kept, route, WAIT)
    if kind not in route.needs:
        assert response.status_code == 200, response.text
        return
    assert everything_kept.damaged_in(problem(response, "damaged")) == [kind]
    if "location" in response.headers:
        job = client.get(response.headers["location"]).json()
        assert (job["state"], job["attempt"]) == ("failed", 1)
        assert everything_kept.damaged_in(job["problem"]) == [kind]


@pytest.mark.parametrize("kind", CASE_FILES)
@pytest.mark.parametrize("damage", [fakes.flip, fakes.deep, fakes.gone, fakes.folder_instead])
def test_the_same_upload_repairs_a_case(
    client: httpx.Client,
    everything_kept: Kept,
    case_upload: dict[str, Any],
    undamaged: dict[str, bytes],
    kind: str,
    damage: Callable[[Path, random.Random], None],
) -> None:
    damage(everything_kept.files[kind], random.Random(kind))
    response = client.post("/v1/cases", **case_upload)
    assert response.status_code == 201 and response.json()["id"] == everything_kept.case
    assert everything_kept.files[kind].read_bytes() == undamaged[kind]
    assert client.get(everything_kept.addresses["case"]).json() == response.json()


def test_the_same_upload_replaces_a_record_without_its_sha256(
    client: httpx.Client, everything_kept: Kept, case_upload: dict[str, Any], undamaged: dict[str, bytes]
) -> None:
    """As an earlier version wrote it: without the digest a changed role is not detected."""
    document = client.get(everything_kept.addresses["case"]).json()
    record = json.loads(undamaged["record"])
    del record["record_sha256"]
    record["description"]["structures"][0]["role"] = "bone"
    fakes.in_place(everything_kept.files["record"], json.dumps(record).encode())
    assert client.get(everything_kept.addresses["case"]).json() != document
    assert (
        client.post("/v1/cases", **case_upload).json()
        == client.get(everything_kept.addresses["case"]).json()
        == document
    )
    assert everything_kept.files["record"].read_bytes() == undamaged["record"]


@pytest.mark.parametrize("kind", CASE_FILES)
def test_removal_and_a_new_upload_repair_a_case(
    client: httpx.Client,
    everything_kept: Kept,
    case_upload: dict[str, Any],
    undamaged: dict[str, bytes],
    kind: str,
) -> None:
    """The files of a case stay while plans made from it are held."""
    everything_kept.files[kind].unlink()
    assert client.delete(everything_kept.addresses["case"]).status_code == 204
    assert client.post("/v1/cases", **case_upload).status_code == 201
    assert everything_kept.files[kind].read_bytes() == undamaged[kind]
    assert answer_of(client, everything_kept, WORKING["a replanning"], WAIT).status_code == 200


@pytest.mark.parametrize("kind", ["plan", "map", "evaluation", "replan"])
@pytest.mark.parametrize("damage", [fakes.flip, fakes.gone, fakes.folder_instead])
def test_the_same_request_repairs_its_result(
    client: httpx.Client,
    everything_kept: Kept,
    undamaged: dict[str, bytes],
    kind: str,
    damage: Callable[[Path, random.Random], None],
) -> None:
    damage(everything_kept.files[kind], random.Random(kind))
    name = {"evaluation": "an evaluation", "replan": "a replanning"}.get(kind, "a plan")
    assert answer_of(client, everything_kept, WORKING[name], WAIT).status_code == 200
    assert everything_kept.files[kind].read_bytes() == undamaged[kind]


@pytest.mark.parametrize("damage", [fakes.flip, fakes.gone])
def test_a_key_returns_its_job_until_the_access_map_is_damaged_or_lost(
    client: httpx.Client,
    everything_kept: Kept,
    undamaged: dict[str, bytes],
    damage: Callable[[Path, random.Random], None],
) -> None:
    def job_id_of_request() -> str:
        key_header = {"Idempotency-Key": f"map-{damage.__name__}"}
        response = answer_of(client, everything_kept, WORKING["a plan"], key_header)
        job_id: str = until(client, response.headers["location"], "done", "failed")["id"]
        return job_id

    first_job = job_id_of_request()
    assert job_id_of_request() == first_job
    damage(everything_kept.files["map"], random.Random(1))
    assert job_id_of_request() != first_job and everything_kept.files["map"].read_bytes() == undamaged["map"]


def test_a_key_returns_its_job_until_the_result_is_damaged(
    client: httpx.Client, everything_kept: Kept, undamaged: dict[str, bytes]
) -> None:
    def requested_job() -> dict[str, Any]:
        response = answer_of(client, everything_kept, WORKING["a plan"], {"Idempotency-Key": "integrity-1"})
        return until(client, response.headers["location"], "done", "failed")

    first_job = requested_job()
    assert requested_job()["id"] == first_job["id"]
    fakes.flip(everything_kept.files["plan"], random.Random(1))
    second_job = requested_job()
    assert (
        second_job["id"] != first_job["id"]
        and everything_kept.files["plan"].read_bytes() == undamaged["plan"]
    )
    assert requested_job()["id"] == second_job["id"]
    fakes.flip(everything_kept.files["ct"], random.Random(1))
    fakes.flip(everything_kept.files["plan"], random.Random(1))
    failed_job = requested_job()
    assert failed_job["problem"]["type"] == "/v1/problems/damaged"
    for kind in ("ct", "plan"):
        fakes.bring_back(everything_kept.files[kind], undamaged[kind])
    assert requested_job()["state"] == "done"


def test_a_client_with_the_undamaged_plan_is_answered_not_modified(
    client: httpx.Client, everything_kept: Kept
) -> None:
    etag_header = {"If-None-Match": client.get(everything_kept.addresses["plan"]).headers["etag"]}
    fakes.flip(everything_kept.files["plan"], random.Random(1))
    assert client.get(everything_kept.addresses["plan"], headers=etag_header).status_code == 304
    problem(client.get(everything_kept.addresses["plan"], headers={"If-None-Match": '"x"'}), "damaged")
    problem(client.get(everything_kept.addresses["plan"], headers={"Range": "bytes=0-9"}), "damaged")
    assert client.head(everything_kept.addresses["plan"]).status_code == 409


@pytest.mark.parametrize("damage", [fakes.flip, fakes.deep, fakes.folder_instead])
def test_a_socket_is_answered_with_the_damage(
    client: httpx.Client, everything_kept: Kept, damage: Callable[[Path, random.Random], None]
) -> None:
    url = f"ws://{client.base_url.netloc.decode()}{everything_kept.addresses['case']}/paths"
    request = json.dumps({"id": 1, "paths": [NEEDLE]})
    with connect(url, proxy=None) as socket:
        damage(everything_kept.files["file"], random.Random(2))
        socket.send(request)
        answer = json.loads(socket.recv(fakes.GENEROUS_S))
        assert answer["id"] == 1 and everything_kept.damaged_in(answer["problem"]) == ["file"]
    damage(everything_kept.files["record"], random.Random(2))
    with connect(url, proxy=None) as socket:
        assert everything_kept.damaged_in(json.loads(socket.recv(fakes.GENEROUS_S))["problem"]) == ["record"]


@pytest.mark.parametrize(("kind", "damage"), list(zip(KINDS, cycle(fakes.DAMAGES), strict=False)))
def test_damaged_items_can_be_removed(
    client: httpx.Client,
    everything_kept: Kept,
    case_upload: dict[str, Any],
    data_dir: Path,
    kind: str,
    damage: Callable[[Path, random.Random], None],
) -> None:
    damage(everything_kept.files[kind], random.Random(kind))
    for kind_removed in ("replan", "evaluation", "plan", "case"):
        path = everything_kept.addresses[kind_removed]
        assert client.delete(path).status_code == 204
        problem(client.get(path), "not-found")
    # The plan inside the replanning is listed as well.
    for remaining in client.get("/v1/plans").json()["items"]:
        assert client.delete(remaining["address"]).status_code == 204
    remaining = [
        name for name in stored(data_dir) if name.startswith(("cases/", "plans/", "access/", "results/"))
    ]
    assert remaining == ["results/evaluations", "results/replans"] and stored(data_dir / "aside") == []
    assert everything(client, case_upload, data_dir) == everything_kept


# Manipulated files


def test_a_changed_digit_of_a_plan_is_found(client: httpx.Client, everything_kept: Kept) -> None:
    file = everything_kept.files["plan"]
    text = file.read_text(encoding="utf-8")
    index = next(
        position for position, character in enumerate(text) if character == "1" and text[position - 1] == " "
    )
    file.write_text(f"{text[:index]}2{text[index + 1 :]}", encoding="utf-8")
    problem(client.get(everything_kept.addresses["plan"]), "damaged")


def test_a_truncated_plan_is_found(client: httpx.Client, everything_kept: Kept) -> None:
    os.truncate(everything_kept.files["plan"], 1000)
    problem(client.get(everything_kept.addresses["plan"]), "damaged")


def test_a_replaced_label_map_is_found(
    client: httpx.Client, everything_kept: Kept, case_upload: dict[str, Any], undamaged: dict[str, bytes]
) -> None:
    """A readable label map in place of another."""
    labels = body_labels()
    labels[7:][labels[7:] == 2] = 1
    write_nifti(everything_kept.files["file"], labels)
    for _ in range(2):
        problem_json = problem(answer_of(client, everything_kept, WORKING["a plan"], WAIT), "damaged")
        assert everything_kept.damaged_in(problem_json) == ["file"]
    problem(answer_of(client, everything_kept, READING["its shapes"]), "damaged")
    assert client.post("/v1/cases", **case_upload).status_code == 201
    assert everything_kept.files["file"].read_bytes() == undamaged["file"]
    assert answer_of(client, everything_kept, WORKING["a plan"], WAIT).status_code == 200


def test_an_added_mask_is_found(client: httpx.Client, data_dir: Path, tmp_path: Path) -> None:
    """With the content of an existing mask, under the name of another organ."""
    mask = write_nifti(tmp_path / "heart.nii.gz", (body_labels() == 2).astype("u1")).read_bytes()
    body = write_nifti(tmp_path / "body.nii.gz", (body_labels() > 0).astype("u1")).read_bytes()
    response = client.post(
        "/v1/cases", **upload(("file", "s.zip", zipped(("heart.nii.gz", mask), ("body.nii.gz", body))))
    )
    case_path = response.headers["location"]
    extra_mask = data_dir / "cases" / response.json()["id"] / "input" / "aorta.nii.gz"
    extra_mask.write_bytes(mask)
    problem_json = problem(client.get(f"{case_path}/shapes"), "damaged")
    assert "input/aorta.nii.gz" in problem_json["detail"]
    extra_mask.unlink()
    assert client.get(f"{case_path}/shapes").status_code == 200
    assert client.delete(case_path).status_code == 204


def test_damage_done_while_no_server_ran_is_found(
    case_upload: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bit of every file, with modification times kept. Digests remembered by a process end with it."""
    monkeypatch.setattr(damage, "DIGESTS", Digests())
    with fakes.served(tmp_path) as client:
        everything_kept = everything(client, case_upload, tmp_path)
        for file in everything_kept.files.values():
            os.utime(file, (1e9, 1e9))
        for name, route in READING.items():
            assert answer_of(client, everything_kept, route).status_code == 200, name
    for kind, file in everything_kept.files.items():
        fakes.flip(file, random.Random(kind))
        os.utime(file, (1e9, 1e9))
    monkeypatch.setattr(damage, "DIGESTS", Digests())
    with fakes.served(tmp_path) as client:
        for name, route in READING.items():
            response = answer_of(client, everything_kept, route)
            if route.needs:
                problem(response, "damaged")
            else:
                assert response.status_code == 200, name
        assert client.post("/v1/cases", **case_upload).status_code == 201
        for route in WORKING.values():
            assert answer_of(client, everything_kept, route, WAIT).status_code == 200
        for name, route in READING.items():
            assert answer_of(client, everything_kept, route).status_code == 200, name

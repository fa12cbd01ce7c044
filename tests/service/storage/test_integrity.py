"""Whatever is kept is held against its sha256: no route answers what was damaged, and each says so, or does
not need it. The same upload, or the same order, mends it."""

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
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A form with a file for each part."""
    folder = fakes.write_case(tmp_path_factory.mktemp("sent"))
    return upload(*((part, name, (folder / name).read_bytes()) for part, name in fakes.PARTS.items()))


@pytest.fixture(scope="module")
def kept(client: httpx.Client, sent: dict[str, Any], data_dir: Path) -> Kept:
    return everything(client, sent, data_dir)


@pytest.fixture(scope="module")
def good(kept: Kept) -> dict[str, bytes]:
    """The bytes of each kind of file."""
    return {kind: file.read_bytes() for kind, file in kept.files.items()}


@pytest.fixture(autouse=True)
def as_they_were(kept: Kept, good: dict[str, bytes]) -> Iterator[None]:
    yield
    for kind, file in kept.files.items():
        fakes.bring_back(file, good[kind])


@pytest.mark.parametrize("name", READING)
def test_what_is_whole_is_answered(
    client: httpx.Client, kept: Kept, good: dict[str, bytes], name: str
) -> None:
    route = READING[name]
    answer = answer_of(client, kept, route)
    assert answer.status_code == 200, answer.text
    assert route.answers is None or answer.content == good[route.answers]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(fakes.DAMAGES), st.integers(0, 2**32))
def test_no_route_answers_what_is_damaged(
    client: httpx.Client,
    kept: Kept,
    good: dict[str, bytes],
    kind: str,
    harm: Callable[[Path, random.Random], None],
    seed: int,
) -> None:
    file = kept.files[kind]
    fakes.bring_back(file, good[kind])
    harm(file, random.Random(seed))
    if file.is_file() and file.read_bytes() == good[kind]:
        # Bits that were turned twice.
        return
    for name, route in READING.items():
        answer = answer_of(client, kept, route)
        if kind in route.needs:
            problem_json = problem(answer, "damaged")
            assert kept.damaged_in(problem_json) == [kind], (name, problem_json)
            assert "POST" in problem_json["detail"] and str(file.parents[2]) not in problem_json["detail"]
        else:
            assert answer.status_code == 200, (name, answer.text)
            assert route.answers is None or answer.content == good[route.answers], name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WORKING)
def test_work_on_what_is_damaged_fails_once_and_says_so(
    client: httpx.Client, kept: Kept, name: str, kind: str
) -> None:
    route = WORKING[name]
    fakes.flip(kept.files[kind], random.Random(name + kind))
    answer = answer_of(client, kept, route, WAIT)
    if kind not in route.needs:
        assert answer.status_code == 200, answer.text
        return
    assert kept.damaged_in(problem(answer, "damaged")) == [kind]
    if "location" in answer.headers:
        job = client.get(answer.headers["location"]).json()
        assert (job["state"], job["attempt"]) == ("failed", 1)
        assert kept.damaged_in(job["problem"]) == [kind]


@pytest.mark.parametrize("kind", CASE_FILES)
@pytest.mark.parametrize("harm", [fakes.flip, fakes.deep, fakes.gone, fakes.folder_instead])
def test_the_same_upload_mends_a_case(
    client: httpx.Client,
    kept: Kept,
    sent: dict[str, Any],
    good: dict[str, bytes],
    kind: str,
    harm: Callable[[Path, random.Random], None],
) -> None:
    harm(kept.files[kind], random.Random(kind))
    answer = client.post("/v1/cases", **sent)
    assert answer.status_code == 201 and answer.json()["id"] == kept.case
    assert kept.files[kind].read_bytes() == good[kind]
    assert client.get(kept.addresses["case"]).json() == answer.json()


def test_the_same_upload_writes_a_record_without_its_sha256_anew(
    client: httpx.Client, kept: Kept, sent: dict[str, Any], good: dict[str, bytes]
) -> None:
    """As an earlier version wrote it: a role that was changed in it is not found out."""
    document = client.get(kept.addresses["case"]).json()
    record = json.loads(good["record"])
    del record["record_sha256"]
    record["description"]["structures"][0]["role"] = "bone"
    fakes.in_place(kept.files["record"], json.dumps(record).encode())
    assert client.get(kept.addresses["case"]).json() != document
    assert client.post("/v1/cases", **sent).json() == client.get(kept.addresses["case"]).json() == document
    assert kept.files["record"].read_bytes() == good["record"]


@pytest.mark.parametrize("kind", CASE_FILES)
def test_removing_and_uploading_again_mends_a_case(
    client: httpx.Client, kept: Kept, sent: dict[str, Any], good: dict[str, bytes], kind: str
) -> None:
    """Its files stay while plans are held that were made from it."""
    kept.files[kind].unlink()
    assert client.delete(kept.addresses["case"]).status_code == 204
    assert client.post("/v1/cases", **sent).status_code == 201
    assert kept.files[kind].read_bytes() == good[kind]
    assert answer_of(client, kept, WORKING["a replanning"], WAIT).status_code == 200


@pytest.mark.parametrize("kind", ["plan", "map", "evaluation", "replan"])
@pytest.mark.parametrize("harm", [fakes.flip, fakes.gone, fakes.folder_instead])
def test_the_same_order_mends_what_was_made(
    client: httpx.Client,
    kept: Kept,
    good: dict[str, bytes],
    kind: str,
    harm: Callable[[Path, random.Random], None],
) -> None:
    harm(kept.files[kind], random.Random(kind))
    name = {"evaluation": "an evaluation", "replan": "a replanning"}.get(kind, "a plan")
    assert answer_of(client, kept, WORKING[name], WAIT).status_code == 200
    assert kept.files[kind].read_bytes() == good[kind]


@pytest.mark.parametrize("harm", [fakes.flip, fakes.gone])
def test_a_key_stands_for_what_it_made_until_its_map_is_damaged_or_lost(
    client: httpx.Client, kept: Kept, good: dict[str, bytes], harm: Callable[[Path, random.Random], None]
) -> None:
    def ordered() -> str:
        keyed = {"Idempotency-Key": f"map-{harm.__name__}"}
        answer = answer_of(client, kept, WORKING["a plan"], keyed)
        id: str = until(client, answer.headers["location"], "done", "failed")["id"]
        return id

    first = ordered()
    assert ordered() == first
    harm(kept.files["map"], random.Random(1))
    assert ordered() != first and kept.files["map"].read_bytes() == good["map"]


def test_a_key_stands_for_what_it_made_until_that_is_damaged(
    client: httpx.Client, kept: Kept, good: dict[str, bytes]
) -> None:
    def ordered() -> dict[str, Any]:
        answer = answer_of(client, kept, WORKING["a plan"], {"Idempotency-Key": "integrity-1"})
        return until(client, answer.headers["location"], "done", "failed")

    first = ordered()
    assert ordered()["id"] == first["id"]
    fakes.flip(kept.files["plan"], random.Random(1))
    mended = ordered()
    assert mended["id"] != first["id"] and kept.files["plan"].read_bytes() == good["plan"]
    assert ordered()["id"] == mended["id"]
    fakes.flip(kept.files["ct"], random.Random(1))
    fakes.flip(kept.files["plan"], random.Random(1))
    failed = ordered()
    assert failed["problem"]["type"] == "/v1/problems/damaged"
    for kind in ("ct", "plan"):
        fakes.bring_back(kept.files[kind], good[kind])
    assert ordered()["state"] == "done"


def test_a_client_with_the_right_bytes_gets_not_modified(client: httpx.Client, kept: Kept) -> None:
    known = {"If-None-Match": client.get(kept.addresses["plan"]).headers["etag"]}
    fakes.flip(kept.files["plan"], random.Random(1))
    assert client.get(kept.addresses["plan"], headers=known).status_code == 304
    problem(client.get(kept.addresses["plan"], headers={"If-None-Match": '"x"'}), "damaged")
    problem(client.get(kept.addresses["plan"], headers={"Range": "bytes=0-9"}), "damaged")
    assert client.head(kept.addresses["plan"]).status_code == 409


@pytest.mark.parametrize("harm", [fakes.flip, fakes.deep, fakes.folder_instead])
def test_a_socket_gets_the_problem_of_damaged_files(
    client: httpx.Client, kept: Kept, harm: Callable[[Path, random.Random], None]
) -> None:
    address = f"ws://{client.base_url.netloc.decode()}{kept.addresses['case']}/paths"
    message = json.dumps({"id": 1, "paths": [NEEDLE]})
    with connect(address, proxy=None) as socket:
        harm(kept.files["file"], random.Random(2))
        socket.send(message)
        document = json.loads(socket.recv(fakes.GENEROUS_S))
        assert document["id"] == 1 and kept.damaged_in(document["problem"]) == ["file"]
    harm(kept.files["record"], random.Random(2))
    with connect(address, proxy=None) as socket:
        assert kept.damaged_in(json.loads(socket.recv(fakes.GENEROUS_S))["problem"]) == ["record"]


@pytest.mark.parametrize(("kind", "harm"), list(zip(KINDS, cycle(fakes.DAMAGES), strict=False)))
def test_what_is_damaged_can_be_removed(
    client: httpx.Client,
    kept: Kept,
    sent: dict[str, Any],
    data_dir: Path,
    kind: str,
    harm: Callable[[Path, random.Random], None],
) -> None:
    harm(kept.files[kind], random.Random(kind))
    for removed in ("replan", "evaluation", "plan", "case"):
        address = kept.addresses[removed]
        assert client.delete(address).status_code == 204
        problem(client.get(address), "not-found")
    # The plan that is in the replanning is one too.
    for left in client.get("/v1/plans").json()["items"]:
        assert client.delete(left["address"]).status_code == 204
    left = [name for name in stored(data_dir) if name.startswith(("cases/", "plans/", "access/", "results/"))]
    assert left == ["results/evaluations", "results/replans"] and stored(data_dir / "aside") == []
    assert everything(client, sent, data_dir) == kept


# The attacks that were made


def test_a_digit_of_a_plan_is_changed(client: httpx.Client, kept: Kept) -> None:
    file = kept.files["plan"]
    text = file.read_text(encoding="utf-8")
    place = next(n for n, letter in enumerate(text) if letter == "1" and text[n - 1] == " ")
    file.write_text(f"{text[:place]}2{text[place + 1 :]}", encoding="utf-8")
    problem(client.get(kept.addresses["plan"]), "damaged")


def test_a_plan_is_cut(client: httpx.Client, kept: Kept) -> None:
    os.truncate(kept.files["plan"], 1000)
    problem(client.get(kept.addresses["plan"]), "damaged")


def test_half_of_an_organ_is_rewritten(
    client: httpx.Client, kept: Kept, sent: dict[str, Any], good: dict[str, bytes]
) -> None:
    """A whole, readable label map under the name of another."""
    labels = body_labels()
    labels[7:][labels[7:] == 2] = 1
    write_nifti(kept.files["file"], labels)
    for _ in range(2):
        problem_json = problem(answer_of(client, kept, WORKING["a plan"], WAIT), "damaged")
        assert kept.damaged_in(problem_json) == ["file"]
    problem(answer_of(client, kept, READING["its shapes"]), "damaged")
    assert client.post("/v1/cases", **sent).status_code == 201
    assert kept.files["file"].read_bytes() == good["file"]
    assert answer_of(client, kept, WORKING["a plan"], WAIT).status_code == 200


def test_a_mask_is_put_beside_those_of_a_case(client: httpx.Client, data_dir: Path, tmp_path: Path) -> None:
    """Of the content of one that is there, under another organ's name."""
    mask = write_nifti(tmp_path / "heart.nii.gz", (body_labels() == 2).astype("u1")).read_bytes()
    body = write_nifti(tmp_path / "body.nii.gz", (body_labels() > 0).astype("u1")).read_bytes()
    answer = client.post(
        "/v1/cases", **upload(("file", "s.zip", zipped(("heart.nii.gz", mask), ("body.nii.gz", body))))
    )
    address = answer.headers["location"]
    stray = data_dir / "cases" / answer.json()["id"] / "input" / "aorta.nii.gz"
    stray.write_bytes(mask)
    problem_json = problem(client.get(f"{address}/shapes"), "damaged")
    assert "input/aorta.nii.gz" in problem_json["detail"]
    stray.unlink()
    assert client.get(f"{address}/shapes").status_code == 200
    assert client.delete(address).status_code == 204


def test_what_was_damaged_while_no_server_ran_is_found(
    sent: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bit of every file at once, with the time of its last change as it was. What a process has found of
    files ends with it."""
    monkeypatch.setattr(damage, "DIGESTS", Digests())
    with fakes.served(tmp_path) as client:
        kept = everything(client, sent, tmp_path)
        for file in kept.files.values():
            os.utime(file, (1e9, 1e9))
        for name, route in READING.items():
            assert answer_of(client, kept, route).status_code == 200, name
    for kind, file in kept.files.items():
        fakes.flip(file, random.Random(kind))
        os.utime(file, (1e9, 1e9))
    monkeypatch.setattr(damage, "DIGESTS", Digests())
    with fakes.served(tmp_path) as client:
        for name, route in READING.items():
            answer = answer_of(client, kept, route)
            if route.needs:
                problem(answer, "damaged")
            else:
                assert answer.status_code == 200, name
        assert client.post("/v1/cases", **sent).status_code == 201
        for route in WORKING.values():
            assert answer_of(client, kept, route, WAIT).status_code == 200
        for name, route in READING.items():
            assert answer_of(client, kept, route).status_code == 200, name

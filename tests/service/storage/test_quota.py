"""What one owner may keep, and send: over HTTP, and counted."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import plan_work as fakes
import pytest
from rest_calls import client_of, problem, until, upload, zipped

from service.interactive.unzip.unzip import ZipLimits, stated_bytes, unpack
from service.operations.job_tasks import Work
from service.settings import Settings
from service.storage.errors import QuotaExceeded
from service.storage.quota import Quota
from service.web.app import create_app
from service.web.middleware.keys import create
from service.web.server import serve_in_background
from service.web.upload.multipart import FilePart
from service.web.upload.upload import _drop_packed, _placed, _stored

MOST = 200_000


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Two owners of a service that lets each keep little."""
    folder = tmp_path_factory.mktemp("quota")
    tokens = [create(folder / "keys.json", owner) for owner in ("ann", "ben")]
    settings = Settings(
        data_dir=folder / "data", keys_file=folder / "keys.json", max_bytes_of_owner=MOST, max_expansion=1e6
    )
    with serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base:
        ann, ben = (client_of(base, token) for token in tokens)
        with ann, ben:
            yield ann, ben


def sent(client: httpx.Client, name: str, size: int) -> httpx.Response:
    return client.post("/v1/cases", **upload(("file", name, name.encode() + b"a" * (size - len(name)))))


def test_an_owner_keeps_so_much_and_no_more(clients: tuple[httpx.Client, httpx.Client]) -> None:
    ann, ben = clients
    first = sent(ann, "a.nii", 150_000)
    assert first.status_code == 201
    refused = problem(sent(ann, "b.nii", 100_000), "no-room")
    assert "remove cases or results" in refused["detail"]
    # What unpacks to more is more.
    zeros = zipped(("a.nii", b"\0" * 100_000))
    assert len(zeros) < 1000
    problem(ann.post("/v1/cases", **upload(("file", "a.zip", zeros))), "no-room")
    # Another has room of his own, though he sends the same.
    assert sent(ben, "a.nii", 150_000).status_code == 201
    assert ann.delete(first.headers["location"]).status_code == 204
    second = sent(ann, "b.nii", 100_000)
    assert second.status_code == 201
    # What another brought first takes room of his as well.
    problem(sent(ann, "a.nii", 150_000), "no-room")
    small = sent(ann, "e.nii", 40_000)
    # What he keeps already takes no more.
    assert small.status_code == 201 and sent(ann, "e.nii", 40_000).status_code == 200
    assert ann.delete(small.headers["location"]).status_code == 204
    for client, case in ((ann, second), (ben, first)):
        assert client.delete(case.headers["location"]).status_code == 204


def test_results_count_and_who_is_full_makes_no_more(clients: tuple[httpx.Client, httpx.Client]) -> None:
    ann, _ = clients
    builtin = ann.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
    case = sent(ann, "c.nii", MOST - 5000).headers["location"]
    plans = []
    for seed in range(7, 20):
        order: dict[str, Any] = {
            "json": {"random_seed": seed},
            "headers": {"Idempotency-Key": f"plan-{seed}"},
        }
        answer = ann.post(f"{case}/plans", **order)
        if answer.status_code == 507:
            break
        last, job = order, answer.headers["location"]
        plans.append(until(ann, job, "done")["plan"])
    problem(answer, "no-room")
    assert plans
    # What was accepted while there was room is answered again as it was.
    response = ann.post(f"{case}/plans", **last)
    assert response.status_code == 202 and response.headers["location"] == job
    # What he holds already is no more of anything.
    assert ann.post("/v1/cases", json={"builtin": "thorax"}).status_code == 200
    # The case stays for the plans made from it, and counts.
    assert ann.delete(case).status_code == 204
    problem(sent(ann, "d.nii", 50_000), "no-room")
    for plan in (*plans, builtin):
        assert ann.delete(plan).status_code == 204
    assert sent(ann, "d.nii", 50_000).status_code == 201


def test_an_upload_needs_no_room_but_the_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with (
        serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base,
        client_of(base, None) as client,
    ):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        assert sent(client, "a.nii", 3_000_000).status_code == 201
    assert list((tmp_path / "data" / "aside").iterdir()) == []


# Counted


def test_uploads_at_once_count_together() -> None:
    quota = Quota(1000)
    with quota.sending("ann", 500) as one:
        one(300)
        with quota.sending("ben", 0) as other:
            other(1000)
        with quota.sending("ann", 500) as two, pytest.raises(QuotaExceeded):
            two(201)
        # The second is gone, and so is what came of it.
        one(200)
        with pytest.raises(QuotaExceeded):
            one(1)
    with quota.sending("ann", 500) as second_upload:
        second_upload(500)
    # Who keeps too much is refused once he sends something.
    with quota.sending("ann", 1001) as full, pytest.raises(QuotaExceeded):
        full(1)


def test_what_is_given_back_is_room_again() -> None:
    quota = Quota(1000)
    with quota.sending("ann", 500) as one:
        one(500)
        one(-200)
        with quota.sending("ann", 500) as two:
            two(200)


def test_a_zip_counts_as_what_was_in_it_once_it_is_unpacked(tmp_path: Path) -> None:
    packed = zipped(("a.nii", b"a" * 70_000), ("b.nii", b"b" * 50_000))
    (tmp_path / "arrived").mkdir()
    (tmp_path / "arrived" / "0").write_bytes(packed)
    taken = [len(packed)]
    parts = [FilePart("file", "a.zip", tmp_path / "arrived" / "0")]
    kept = _placed(parts, tmp_path)
    (tmp_path / "input").mkdir()
    limits = ZipLimits.of(Settings())
    taken.append(stated_bytes(kept[0], limits))
    assert unpack(kept[0], tmp_path / "input", limits) == taken[-1]
    _drop_packed(kept[0], taken.append)
    files, is_folder = _stored(parts, kept, tmp_path, taken.append)
    assert is_folder and len(files) == 2 and sum(taken) == 120_000

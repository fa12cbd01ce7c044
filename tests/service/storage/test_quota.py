"""The quota of an owner for stored and uploaded bytes: over HTTP, and by itself."""

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

MAX_BYTES = 200_000


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Two owners of a service with a small quota each."""
    folder = tmp_path_factory.mktemp("quota")
    tokens = [create(folder / "keys.json", owner) for owner in ("ann", "ben")]
    settings = Settings(
        data_dir=folder / "data",
        keys_file=folder / "keys.json",
        max_bytes_of_owner=MAX_BYTES,
        max_expansion=1e6,
    )
    with serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base_url:
        ann, ben = (client_of(base_url, token) for token in tokens)
        with ann, ben:
            yield ann, ben


def upload_of_size(client: httpx.Client, name: str, size: int) -> httpx.Response:
    return client.post("/v1/cases", **upload(("file", name, name.encode() + b"a" * (size - len(name)))))


def test_each_owner_has_a_quota(clients: tuple[httpx.Client, httpx.Client]) -> None:
    ann, ben = clients
    first_case = upload_of_size(ann, "a.nii", 150_000)
    assert first_case.status_code == 201
    problem_json = problem(upload_of_size(ann, "b.nii", 100_000), "no-room")
    assert "remove cases or results" in problem_json["detail"]
    # A zip counts with its unpacked size.
    zip_of_zeros = zipped(("a.nii", b"\0" * 100_000))
    assert len(zip_of_zeros) < 1000
    problem(ann.post("/v1/cases", **upload(("file", "a.zip", zip_of_zeros))), "no-room")
    # Another owner has a separate quota, even for the same file.
    assert upload_of_size(ben, "a.nii", 150_000).status_code == 201
    assert ann.delete(first_case.headers["location"]).status_code == 204
    second_case = upload_of_size(ann, "b.nii", 100_000)
    assert second_case.status_code == 201
    # A case that another owner uploaded first counts as well.
    problem(upload_of_size(ann, "a.nii", 150_000), "no-room")
    small_case = upload_of_size(ann, "e.nii", 40_000)
    # A case that the owner holds already adds nothing.
    assert small_case.status_code == 201 and upload_of_size(ann, "e.nii", 40_000).status_code == 200
    assert ann.delete(small_case.headers["location"]).status_code == 204
    for client, response in ((ann, second_case), (ben, first_case)):
        assert client.delete(response.headers["location"]).status_code == 204


def test_results_count_and_no_plan_is_made_beyond_the_quota(
    clients: tuple[httpx.Client, httpx.Client],
) -> None:
    ann, _ = clients
    builtin = ann.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
    case = upload_of_size(ann, "c.nii", MAX_BYTES - 5000).headers["location"]
    plans = []
    for seed in range(7, 20):
        request: dict[str, Any] = {
            "json": {"random_seed": seed},
            "headers": {"Idempotency-Key": f"plan-{seed}"},
        }
        response = ann.post(f"{case}/plans", **request)
        if response.status_code == 507:
            break
        last_request, job = request, response.headers["location"]
        plans.append(until(ann, job, "done")["plan"])
    problem(response, "no-room")
    assert plans
    # A request accepted earlier is answered as before.
    repeated = ann.post(f"{case}/plans", **last_request)
    assert repeated.status_code == 202 and repeated.headers["location"] == job
    # A case that the owner holds already adds nothing.
    assert ann.post("/v1/cases", json={"builtin": "thorax"}).status_code == 200
    # The case stays for the plans made from it, and counts.
    assert ann.delete(case).status_code == 204
    problem(upload_of_size(ann, "d.nii", 50_000), "no-room")
    for plan in (*plans, builtin):
        assert ann.delete(plan).status_code == 204
    assert upload_of_size(ann, "d.nii", 50_000).status_code == 201


def test_an_upload_needs_no_disk_space_outside_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with (
        serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base_url,
        client_of(base_url, None) as client,
    ):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        assert upload_of_size(client, "a.nii", 3_000_000).status_code == 201
    assert list((tmp_path / "data" / "aside").iterdir()) == []


# The counter


def test_concurrent_uploads_count_together() -> None:
    quota = Quota(1000)
    with quota.sending("ann", 500) as count_first:
        count_first(300)
        with quota.sending("ben", 0) as count_of_ben:
            count_of_ben(1000)
        with quota.sending("ann", 500) as count_second, pytest.raises(QuotaExceeded):
            count_second(201)
        # The second upload has ended, and its bytes are released.
        count_first(200)
        with pytest.raises(QuotaExceeded):
            count_first(1)
    with quota.sending("ann", 500) as count_later:
        count_later(500)
    # An owner above the quota is refused at the first byte.
    with quota.sending("ann", 1001) as count_too_many, pytest.raises(QuotaExceeded):
        count_too_many(1)


def test_released_bytes_are_available_again() -> None:
    quota = Quota(1000)
    with quota.sending("ann", 500) as count_first:
        count_first(500)
        count_first(-200)
        with quota.sending("ann", 500) as count_second:
            count_second(200)


def test_an_unpacked_zip_counts_with_the_size_of_its_content(tmp_path: Path) -> None:
    archive = zipped(("a.nii", b"a" * 70_000), ("b.nii", b"b" * 50_000))
    (tmp_path / "arrived").mkdir()
    (tmp_path / "arrived" / "0").write_bytes(archive)
    byte_counts = [len(archive)]
    parts = [FilePart("file", "a.zip", tmp_path / "arrived" / "0")]
    placed_files = _placed(parts, tmp_path)
    (tmp_path / "input").mkdir()
    limits = ZipLimits.of(Settings())
    byte_counts.append(stated_bytes(placed_files[0], limits))
    assert unpack(placed_files[0], tmp_path / "input", limits) == byte_counts[-1]
    _drop_packed(placed_files[0], byte_counts.append)
    files, is_folder = _stored(parts, placed_files, tmp_path, byte_counts.append)
    assert is_folder and len(files) == 2 and sum(byte_counts) == 120_000

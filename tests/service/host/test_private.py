"""Data of one owner stay private: folder modes, cached answers, and the client that a proxy names."""

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import plan_work as fakes
import pytest
from rest_calls import client_of, problem, until, upload
from service_process import eventually

from anatomy.errors import AnatomyError
from service.host.private_files import make_private
from service.logs.json_lines import AUDIT
from service.operations.job_tasks import Work
from service.settings import Settings, SettingsError, from_environment
from service.web.app import create_app
from service.web.middleware.auth import OWN
from service.web.middleware.keys import create
from service.web.server import serve_in_background

CALLER = "203.0.113.7"


@pytest.fixture
def audit_records() -> Iterator[list[logging.LogRecord]]:
    """The records that the audit log receives."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    AUDIT.addHandler(handler)
    AUDIT.setLevel(logging.INFO)
    AUDIT.propagate = False
    yield records
    AUDIT.removeHandler(handler)


@pytest.mark.parametrize(
    ("trusted", "noted"), [((), "127.0.0.1"), (("10.0.0.9",), "127.0.0.1"), (("127.0.0.1",), CALLER)]
)
def test_only_trusted_proxies_may_name_the_client_of_a_request(
    tmp_path: Path, audit_records: list[logging.LogRecord], trusted: tuple[str, ...], noted: str
) -> None:
    token = create(tmp_path / "keys.json", "ann")
    settings = Settings(data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json", trusted_proxies=trusted)
    with (
        serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base,
        client_of(base, token) as ann,
    ):
        assert ann.get("/v1/version", headers={"X-Forwarded-For": CALLER}).status_code == 200
        eventually(lambda: len(audit_records) > 0)
        assert [vars(record)["fields"]["client"] for record in audit_records] == [noted]
        if trusted == ():
            _check_cache_headers(ann)


def _check_cache_headers(ann: httpx.Client) -> None:
    case = ann.post("/v1/cases", **upload(("file", "a.nii", b"a"))).headers["location"]
    job = ann.post(f"{case}/plans", json={}).headers["location"]
    plan = until(ann, job, "done")["plan"]
    tag = ann.get(plan).headers["etag"]
    for path in (case, plan, job, f"{plan}/skin-access", "/v1/cases", "/v1/plans", "/v1/jobs", "/metrics"):
        response = ann.get(path)
        assert (response.status_code, response.headers["cache-control"]) == (200, OWN), path
    # A 304 has the same cache header as its 200.
    not_modified = ann.get(plan, headers={"If-None-Match": tag})
    assert (not_modified.status_code, not_modified.headers["cache-control"]) == (304, OWN)
    not_found = ann.get(f"/v1/plans/{'0' * 64}")
    assert problem(not_found, "not-found") and not_found.headers["cache-control"] == "no-store"
    for path in ("/v1/version", "/v1/openapi.json", "/"):
        assert "private" not in ann.get(path).headers.get("cache-control", "")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SEEDPATH_TRUSTED_PROXIES": "proxy.example"}, "is not an address"),
        ({"SEEDPATH_TRUSTED_PROXIES": "127.0.0.1"}, "without keys_file"),
        ({"SEEDPATH_BODY_BYTES_PER_S": "0"}, "greater than 0"),
        ({"SEEDPATH_MAX_CONNECTIONS": "2"}, "greater than or equal to 16"),
        ({"SEEDPATH_MAX_BYTES_UNDER_WAY": "1000"}, "greater than or equal to"),
    ],
)
def test_settings_with_useless_bounds_are_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        from_environment(environment)


def test_a_folder_readable_by_others_is_made_private(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    make_private(folder)
    folder.mkdir(mode=0o700)
    make_private(folder)
    assert caplog.records == []
    folder.chmod(0o755)
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert f"{folder} could be read by others (mode 755)" in caplog.text


def test_a_folder_whose_mode_cannot_be_set_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o750)
    monkeypatch.setattr(Path, "chmod", lambda self, mode: None)
    with pytest.raises(AnatomyError, match="keeps no modes"):
        make_private(tmp_path)

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(AnatomyError, match="another user's"):
        make_private(tmp_path)

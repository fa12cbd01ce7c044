"""docs/operation.md: its commands are run as written, and the names in it exist."""

import asyncio
import hashlib
import os
import re
import subprocess
import uuid
from collections.abc import Callable, MutableMapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from kept_data import LOST, Kept

from planner.records.progress import Phase
from service.cli.main import main
from service.logs.audit import audit_to
from service.logs.json_lines import AUDIT
from service.maintenance.retention.policy import Policy
from service.schemas.result_kinds import ResultKind
from service.schemas.result_text import JobResult
from service.settings import PREFIX, Settings
from service.storage.database.connection import Database
from service.storage.job import NewJob
from service.web.app import create_app
from service.web.middleware.keys import create

NOT_RUN = ("seedpath serve", "curl")
"""Commands that other tests run, with their own server."""


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "operation.md").read_text(encoding="utf-8")


def commands(page: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_every_command_of_the_page_works(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    open_database: Callable[[str, float], Database],
) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    data_dir = tmp_path / "data"
    url = f"sqlite:///{data_dir / 'seedpath.sqlite'}"
    run_lines: list[str] = []
    expected_files: dict[str, bytes] = {}
    for line in commands(page):
        if line.startswith("seedpath serve"):
            # The data of a server that accepted a case and made a plan.
            data_dir.mkdir()
            service_data = Kept(data_dir, url, open_database(url, 5.0))
            service_data.add_plan("a", service_data.add_case("first", "radiology"), "radiology")
            (data_dir / "audit.jsonl").write_text("{}\n")
            expected_files = service_data.files()
            service_data.database.close()
        if line.startswith(NOT_RUN):
            continue
        run_lines.append(line)
        command, _, output_file = line.partition(" > ")
        words = os.path.expandvars(command).split()
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            monkeypatch.setenv(name, value)
        elif words[0] == "seedpath":
            assert main(words[1:]) == 0, line
            if output_file:
                Path(output_file).write_text(capsys.readouterr().out)
        else:
            subprocess.run(["bash", "-ec", line], check=True)
    assert (data_dir / "audit.jsonl").exists() and (tmp_path / "data.before").is_dir()
    for folder in (data_dir, tmp_path / "tried"):
        url = f"sqlite:///{folder / 'seedpath.sqlite'}"
        assert Kept(folder, url, open_database(url, 5.0)).files() == expected_files
    assert len([line for line in run_lines if line.startswith("seedpath store")]) >= 7


def documented_bytes(page: str, item: str) -> float:
    """The size of an item that the page states."""
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {item}")]
    number, unit = row.split("|")[2].split()
    return float(number) * {"bytes": 1.0, "kB": 1e3, "MB": 1e6}[unit]


def test_the_rows_of_a_plan_have_the_documented_size(
    page: str, tmp_path: Path, open_database: Callable[[str, float], Database]
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'records.sqlite'}", 5.0)
    service_data = Kept(tmp_path / "data", str(database.address), database)
    case = service_data.add_case("first", "radiology")

    def make_plan() -> None:
        id = uuid.uuid4().hex
        service_data.job_table.accept(NewJob(id, "radiology", case, ResultKind.PLAN, "{}", None))
        job = service_data.job_table.begin(id, 3, LOST)
        assert job is not None
        # With acceptance, start and end these are 85 events.
        for number in range(82):
            service_data.job_table.report(job, Phase.SEARCH, number / 82.0)
        plan = JobResult(ResultKind.PLAN, hashlib.sha256(id.encode()).hexdigest(), b"{}", summary="s" * 700)
        assert service_data.job_table.succeed(job, plan, lambda made: None)

    def database_bytes() -> int:
        pages = (f"PRAGMA {name}" for name in ("page_count", "page_size"))
        count, size = (database.read(lambda c, p=p: c.exec_driver_sql(p).scalar()) for p in pages)  # type: ignore[misc]
        return int(count) * int(size)

    make_plan()
    bytes_before, jobs = database_bytes(), 8
    for _ in range(jobs):
        make_plan()
    stated_bytes = documented_bytes(page, "its rows: what is held, the job, 85 events")
    assert (database_bytes() - bytes_before) / jobs == pytest.approx(stated_bytes, rel=0.3)


def test_a_line_of_the_audit_log_has_the_documented_size(page: str, tmp_path: Path) -> None:
    token = create(tmp_path / "keys.json", "radiology")
    app = create_app(Settings(data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json"))
    log = tmp_path / "audit.jsonl"
    handler = audit_to(log)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        del message

    headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "method": "GET", "path": f"/v1/plans/{'0' * 64}", "query_string": b""}
    connection = {"http_version": "1.1", "client": ("192.168.100.10", 50_000), "headers": headers}
    asyncio.run(app(scope | connection, receive, send))
    AUDIT.removeHandler(handler)
    handler.close()
    (line,) = log.read_bytes().splitlines(keepends=True)
    assert b'"owner": "radiology"' in line
    assert len(line) == pytest.approx(documented_bytes(page, "a line of the audit log"), rel=0.3)


def test_settings_metrics_and_links_of_the_page_exist(page: str, repository: Path) -> None:
    known_settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {"SEEDPATH_SETTINGS"}
    named_settings = set(re.findall(r"SEEDPATH_[A-Z_]+", page))
    assert named_settings <= known_settings, named_settings - known_settings
    assert {f"{PREFIX}{field.name.upper()}" for field in fields(Policy)} <= named_settings
    metric_names = set(re.findall(r"`(seedpath_[a-z_]+)", page))
    source = (repository / "service" / "web" / "metrics.py").read_text(encoding="utf-8")
    assert metric_names and all(f'"{name.removesuffix("_total")}"' in source for name in metric_names)
    headings = re.findall(r"^#+ (.*)$", page, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for link in re.findall(r"\]\(([^)]+)\)", page):
        file, _, anchor = link.partition("#")
        assert (repository / "docs" / file).exists() if file else anchor in anchors, link
    assert "docs/operation.md" in (repository / "README.md").read_text(encoding="utf-8")

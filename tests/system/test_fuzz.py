"""schemathesis against a running server with all checks: no internal error, no undocumented answer.

Requests are generated from the server's openapi.json: its examples, the ends of every range, random valid and
invalid requests, and chains of requests that use the results of earlier ones.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from checkout import PATHS, SUPPORT
from fuzz_service import SCRIPT
from phantom import write_phantom
from rest_calls import healthy, upload
from service_process import Service, running

EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "0"))
"""Requests for each operation in the longer run (`make fuzz`); otherwise few, and the same each time."""

QUICK_EXAMPLES = 8

CASES, PLANS = 4, 4
"""Number of cases, and of plans of each case: enough that some remain when others are removed."""

MAX_RUN_S = 300 if EXAMPLES == 0 else 24 * 3600
"""Far more than a run needs; ends a run that hangs."""

CONFIG = SUPPORT / "processes" / "schemathesis.toml"

WITHOUT_LIMITS = {
    f"SEEDPATH_{name}": "100000"
    for name in ("MAX_JOBS", "MAX_JOBS_OF_OWNER", "REQUESTS_PER_S", "REQUESTS_BURST")
}
"""Limits have their own tests: here every request should be processed."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    settings = WITHOUT_LIMITS | {"SEEDPATH_DATA_DIR": str(tmp_path / "data")}
    with running(Service(settings, tmp_path / "log", script=SCRIPT)) as service, service.client() as client:
        healthy(client)
        yield client


@pytest.fixture
def folder(tmp_path: Path, client: httpx.Client) -> Path:
    """The folder in which schemathesis runs: its configuration, and ids of existing items."""
    folder = tmp_path / "fuzz"
    folder.mkdir()
    shutil.copy(CONFIG, folder)
    for name, ids in created_items(client, write_phantom(tmp_path)).items():
        (folder / f"{name}.txt").write_text("".join(f'"{id}"\n' for id in ids), encoding="utf-8")
    return folder


def created_items(client: httpx.Client, phantom: Path) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {n: [] for n in ("cases", "plans", "evaluations", "replans", "jobs")}

    def post_and_wait(path: str, body: Any) -> str:
        response = client.post(path, json=body, headers={"Prefer": "wait=60"})
        assert response.status_code == 200, response.text
        for header in ("content-location", "location"):
            kind, _, id = response.headers[header].removeprefix("/v1/").partition("/")
            ids[kind].append(id)
        return str(response.headers["content-location"])

    labels = ("file", "labels.nii.gz", (phantom / "labels.nii.gz").read_bytes())
    names = ("names", "labels.json", (phantom / "labels.json").read_bytes())
    for number in range(CASES):
        parts = upload(labels, names, ("target", f"{number}.nii", b"%d" % number))
        answer = client.post("/v1/cases", **parts if number else upload(labels, names))
        assert answer.status_code == 201, answer.text
        ids["cases"].append(answer.json()["id"])
        for seed in range(PLANS):
            plan = post_and_wait(f"{answer.headers['location']}/plans", {"random_seed": seed})
            post_and_wait(f"{plan}:evaluate-implant", {"seeds": [{"position_mm": [0.0, 0.0, float(seed)]}]})
            post_and_wait(
                f"{plan}:replan", {"needles": [{"entry_mm": [0.0, 0.0, 9.0], "tip_mm": [0.0, 0.0, 0.0]}]}
            )
    return ids


def successful_requests(client: httpx.Client) -> Counter[tuple[str, str]]:
    """Number of 2xx answers by method and route, as counted by the server."""
    pattern = r'seedpath_requests_total\{method="(\w+)",route="([^"]+)",status="2\d\d"\} ([0-9.e+]+)'
    counts: Counter[tuple[str, str]] = Counter()
    for method, route, count in re.findall(pattern, client.get("/metrics").text):
        counts[method, route] += int(float(count))
    return counts


@pytest.mark.long
def test_every_generated_request_is_answered_as_documented(client: httpx.Client, folder: Path) -> None:
    quick_options = ["--max-examples", str(QUICK_EXAMPLES), "--generation-deterministic", "--seed", "1"]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG.name, "--no-color", "run"]
    command += [f"{client.base_url}/v1/openapi.json"]
    long_options = ["--max-examples", str(EXAMPLES), "--generation-database", "none"]
    command += quick_options if EXAMPLES == 0 else long_options
    counts_before = successful_requests(client)
    completed = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=MAX_RUN_S,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    # The requests reached the operations: each was answered with 2xx at least once.
    successful = successful_requests(client) - counts_before
    assert client.get("/v1/health").status_code == 200
    paths = client.get("/v1/openapi.json").json()["paths"]
    operations = {
        (method.upper(), path.removeprefix("/v1")) for path, item in paths.items() for method in item
    }
    assert operations - set(successful) == set()

"""schemathesis against a running server, all checks on: no fault of the server's own, no undocumented answer.

What is asked is made from the server's own openapi.json: its examples, the ends of every range, random
requests right and wrong, and chains of requests that use what earlier ones made.
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
"""Requests for each operation in the longer run (`make fuzz`); else few, and the same each time."""

FEW = 8

CASES, PLANS = 4, 4
"""And plans of each case: so many that some are left when others have been removed."""

MOST_S = 300 if EXAMPLES == 0 else 24 * 3600
"""Far more than it takes; a run that hangs must end."""

CONFIG = SUPPORT / "processes" / "schemathesis.toml"

NEVER_BUSY = {
    f"SEEDPATH_{name}": "100000"
    for name in ("MAX_JOBS", "MAX_JOBS_OF_OWNER", "REQUESTS_PER_S", "REQUESTS_BURST")
}
"""Limits are tried elsewhere: what is asked here is to be looked at, not put off."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    settings = NEVER_BUSY | {"SEEDPATH_DATA_DIR": str(tmp_path / "data")}
    with running(Service(settings, tmp_path / "log", script=SCRIPT)) as service, service.client() as client:
        healthy(client)
        yield client


@pytest.fixture
def folder(tmp_path: Path, client: httpx.Client) -> Path:
    """The folder where it runs: what it is told, and ids of what is there."""
    folder = tmp_path / "fuzz"
    folder.mkdir()
    shutil.copy(CONFIG, folder)
    for name, ids in created_items(client, write_phantom(tmp_path)).items():
        (folder / f"{name}.txt").write_text("".join(f'"{id}"\n' for id in ids), encoding="utf-8")
    return folder


def created_items(client: httpx.Client, phantom: Path) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {n: [] for n in ("cases", "plans", "evaluations", "replans", "jobs")}

    def order(address: str, body: Any) -> str:
        answer = client.post(address, json=body, headers={"Prefer": "wait=60"})
        assert answer.status_code == 200, answer.text
        for header in ("content-location", "location"):
            kind, _, id = answer.headers[header].removeprefix("/v1/").partition("/")
            ids[kind].append(id)
        return str(answer.headers["content-location"])

    labels = ("file", "labels.nii.gz", (phantom / "labels.nii.gz").read_bytes())
    names = ("names", "labels.json", (phantom / "labels.json").read_bytes())
    for number in range(CASES):
        parts = upload(labels, names, ("target", f"{number}.nii", b"%d" % number))
        answer = client.post("/v1/cases", **parts if number else upload(labels, names))
        assert answer.status_code == 201, answer.text
        ids["cases"].append(answer.json()["id"])
        for seed in range(PLANS):
            plan = order(f"{answer.headers['location']}/plans", {"random_seed": seed})
            order(f"{plan}:evaluate-implant", {"seeds": [{"position_mm": [0.0, 0.0, float(seed)]}]})
            order(f"{plan}:replan", {"needles": [{"entry_mm": [0.0, 0.0, 9.0], "tip_mm": [0.0, 0.0, 0.0]}]})
    return ids


def answered_well(client: httpx.Client) -> Counter[tuple[str, str]]:
    """How often each method and route was answered with 2xx, as the server counted it."""
    pattern = r'seedpath_requests_total\{method="(\w+)",route="([^"]+)",status="2\d\d"\} ([0-9.e+]+)'
    counted: Counter[tuple[str, str]] = Counter()
    for method, route, count in re.findall(pattern, client.get("/metrics").text):
        counted[method, route] += int(float(count))
    return counted


@pytest.mark.long
def test_nothing_that_can_be_asked_is_answered_but_as_documented(client: httpx.Client, folder: Path) -> None:
    few = ["--max-examples", str(FEW), "--generation-deterministic", "--seed", "1"]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG.name, "--no-color", "run"]
    command += [f"{client.base_url}/v1/openapi.json"]
    more = ["--max-examples", str(EXAMPLES), "--generation-database", "none"]
    command += few if EXAMPLES == 0 else more
    before = answered_well(client)
    ran = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=MOST_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # It got through to what the operations do: each was answered well at least once.
    answered = answered_well(client) - before
    assert client.get("/v1/health").status_code == 200
    paths = client.get("/v1/openapi.json").json()["paths"]
    operations = {
        (method.upper(), path.removeprefix("/v1")) for path, item in paths.items() for method in item
    }
    assert operations - set(answered) == set()

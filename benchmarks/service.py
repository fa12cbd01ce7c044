"""The service under load, as a client in another process sees it over loopback: how soon needles that a hand
moves are answered while two plans run, and how many plans it makes in a minute."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np

from benchmarks.table import Row
from service.client import Client

NAME = "service"
REQUEST: dict[str, Any] = {"target": {"structure": "node_4R"}}
GOALS_MS = {1: 10.0, 1000: 100.0}
"""The 99th percentile asked for, for so many needles at once, while two plans run."""

ANSWERS = {1: 1000, 1000: 100}
"""How many are measured."""

PLANS = 4


def run() -> list[Row]:
    """Start a service with two workers, and ask; before that, one whose needles all go to one sandbox."""
    return [*_at_one_bench(), *_as_it_comes()]


def _at_one_bench() -> list[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="seedpath-sandbox-") as folder,
        serving(Path(folder), {"SEEDPATH_WORKERS": "2", "SEEDPATH_APPRAISERS": "1"}) as base,
        Client(base) as client,
    ):
        case = client.add_builtin("thorax")
        path = client.plan(case, REQUEST).plan.paths[0]
        bodies = {1000: _bodies(path.entry_mm, path.tip_mm, 1000)}
        address = f"/v1/cases/{case['id']}/paths:evaluate"
        return _latencies(base, address, bodies, "at one sandbox, nothing else running", {})


def _as_it_comes() -> list[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="seedpath-sandbox-") as folder,
        serving(Path(folder), {"SEEDPATH_WORKERS": "2"}) as base,
    ):
        return measured(base)


def measured(base: str) -> list[Row]:
    """How soon a service at `base` that has two workers answers, and how many plans it makes."""
    with Client(base) as client:
        case = client.add_builtin("thorax")
        path = client.plan(case, REQUEST).plan.paths[0]
        bodies = {n: _bodies(path.entry_mm, path.tip_mm, n) for n in ANSWERS}
        address = f"/v1/cases/{case['id']}/paths:evaluate"
        rows = _latencies(base, address, bodies, "nothing else running", {})
        orders = [REQUEST | {"random_seed": n + 1} for n in range(16)]
        jobs = [client.order(f"/v1/cases/{case['id']}/plans", order) for order in orders]
        while sum(client.job(job["id"])["progress"] is not None for job in jobs[:2]) < 2:
            sleep(0.1)
        rows += _latencies(base, address, bodies, "two plans running", GOALS_MS)
        for job in jobs:
            client.cancel(job["id"])
        return [*rows, _plans_per_minute(client, case)]


def _plans_per_minute(client: Client, case: dict[str, Any]) -> Row:
    orders = [REQUEST | {"random_seed": 100 + n} for n in range(PLANS)]
    start = perf_counter()
    for job in [client.order(f"/v1/cases/{case['id']}/plans", order) for order in orders]:
        client.result(job)
    return Row(
        NAME, f"plans of node_4R, two workers, {PLANS} at once", 60 * PLANS / (perf_counter() - start), "/min"
    )


def _latencies(
    base: str,
    address: str,
    bodies: dict[int, list[bytes]],
    meanwhile: str,
    goals_ms: dict[int, float],
) -> list[Row]:
    rows = []
    for needles, sent in bodies.items():
        times = np.array(_asked(base, address, sent, ANSWERS[needles])) * 1e3
        goal = goals_ms.get(needles)
        for share in (50, 99):
            value = float(np.percentile(times, share))
            what = f"{needles} needles, {meanwhile}, {share}th percentile"
            if goal is None or share != 99:
                rows.append(Row(NAME, what, value, "ms"))
            else:
                rows.append(Row(NAME, what, value, "ms", "", f"<= {goal:g}", value <= goal))
    return rows


def _asked(base: str, address: str, bodies: Sequence[bytes], count: int) -> list[float]:
    """Seconds of each answer; the first few, which find caches cold, are not counted."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=120)
    headers = {"Content-Type": "application/json"}
    times = []
    with contextlib.closing(connection):
        for n in range(count + 5):
            start = perf_counter()
            connection.request("POST", address, bodies[n % len(bodies)], headers)
            answer = connection.getresponse()
            content = answer.read()
            times.append(perf_counter() - start)
            if answer.status != 200:
                raise SystemExit(f"the service answered {answer.status}: {content[:200]!r}")
    return times[5:]


def _bodies(entry_mm: Sequence[float], tip_mm: Sequence[float], needles: int) -> list[bytes]:
    """Requests of so many needles each, as a hand moves the entry about."""
    rng = np.random.default_rng(0)
    bodies = []
    for _ in range(50 if needles == 1 else 5):
        entries = np.array(entry_mm) + rng.normal(scale=15.0, size=(needles, 3))
        paths = [{"entry_mm": entry, "tip_mm": list(tip_mm)} for entry in entries.tolist()]
        bodies.append(json.dumps({"paths": paths, "request": REQUEST}).encode())
    return bodies


@contextlib.contextmanager
def serving(folder: Path, settings: dict[str, str]) -> Iterator[str]:
    """A service in a process of its own, with its files in `folder`. Yields its address on loopback."""
    environment = os.environ | {"SEEDPATH_DATA_DIR": str(folder / "data")} | settings
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve", "--port", "0"],
            env=environment | {"SEEDPATH_MAX_JOBS_OF_OWNER": "32"},
            stderr=log,
            cwd=Path(__file__).parents[1],
        )
    try:
        while (match := re.search(r"http://[0-9.:]+", (folder / "log").read_text())) is None:
            if process.poll() is not None:
                raise SystemExit(f"the service did not start:\n{(folder / 'log').read_text()}")
        yield match[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)

"""Stand-ins for work that open the case as work does, and compute nothing: what is kept is read, and held
against its sha256, and no more. Beside them, a case of every kind of file, and ways to damage one."""

import contextlib
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import instant_work
import numpy as np
import pytest
from case_files import NAMES, body_labels, write_names, write_nifti

from planner.records.followup import Evaluation, Replanned
from planner.records.plan import Plan, PlanningResult
from planner.records.request.given import GivenSeed
from planner.records.request.request import Request
from service.interactive import appraisers as appraising
from service.interactive.appraise_task import AppraisalJson, NeedlesTask
from service.interactive.slice_task import SliceTask
from service.jobs.dispatcher import Dispatcher
from service.jobs.heartbeat_monitor import WorkforceStatus
from service.jobs.job_table import JobTable
from service.jobs.sandbox.sandbox import SandboxedProcess
from service.jobs.worker import run_job
from service.operations.case import Case
from service.operations.job_tasks import ReportProgress, Work
from service.operations.open_case import open_case
from service.schemas.in_patient import NeedlesMeasured
from service.settings import Settings
from service.web.app import create_app
from service.web.server import serve_in_background


def plan(case: Case, request: Request, report: ReportProgress) -> PlanningResult:
    open_case(case)
    return instant_work.plan(case, request, report)


def evaluate(
    case: Case, claimed: Plan, plan_sha256: str, seeds: tuple[GivenSeed, ...], report: ReportProgress
) -> Evaluation:
    open_case(case)
    return instant_work.evaluate(case, claimed, plan_sha256, seeds, report)


def replan(
    case: Case, claimed: Plan, plan_sha256: str, found: NeedlesMeasured, report: ReportProgress
) -> Replanned:
    open_case(case)
    return instant_work.replan(case, claimed, plan_sha256, found, report)


def appraise(report: ReportProgress, task: NeedlesTask) -> AppraisalJson:
    del report
    open_case(task.case)
    return AppraisalJson(b"", b'{"missing_structures":[],"notes":[],"skin_structures":[],"skin_source":""}')


def cut(report: ReportProgress, task: SliceTask) -> bytes:
    del report
    open_case(task.case)
    return b'{"structures":[],"slices":[]}'


GENEROUS_S = 300.0
"""Longer than any answer takes on a loaded machine; not a claim about speed."""

WORK = Work(instant_work.describe, plan, evaluate, replan)

PARTS = {
    "file": "labels.nii.gz",
    "names": "labels.json",
    "target": "gtv.nii.gz",
    "ct": "ct.nii.gz",
}


def write_case(folder: Path) -> Path:
    """A file for each part of an upload."""
    labels = body_labels()
    write_nifti(folder / PARTS["file"], labels)
    write_names(folder / PARTS["names"], NAMES)
    gtv = np.zeros_like(labels)
    gtv[3:6, 5:7, 4:6] = 1
    write_nifti(folder / PARTS["target"], gtv)
    hounsfield = np.random.default_rng(13).integers(-1000, 400, labels.shape)
    write_nifti(folder / PARTS["ct"], hounsfield.astype(np.int16))
    return folder


# A service in one process: as quick as the disk


class EngineHere(Dispatcher):
    """Has jobs done by a thread of this process, one after the other."""

    def __init__(self, settings: Settings, work: Work, job_table: JobTable) -> None:
        self._settings, self._work, self._job_table = settings, work, job_table
        self._wake, self._closing = threading.Event(), False
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    @property
    def workforce_status(self) -> WorkforceStatus:
        return WorkforceStatus(time.monotonic(), workers=1)

    def close(self) -> None:
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            for job in self._job_table.open_jobs():
                run_job(self._settings, self._work, job.id)


def run_here(
    sandbox: SandboxedProcess, function: Callable[..., Any], *arguments: Any, **bounds: object
) -> Any:
    """What a sandbox does, without its process."""
    del sandbox, bounds
    return function(lambda progress: None, *arguments)


@contextlib.contextmanager
def served(data_dir: Path) -> Iterator[httpx.Client]:
    """A client of a service in this process, whose work is done by these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SandboxedProcess, "run", run_here)
        patch.setattr("service.web.app.Dispatcher", EngineHere)
        patch.setattr(appraising, "appraise", appraise)
        patch.setattr(appraising, "cut", cut)
        with (
            serve_in_background(create_app(Settings(data_dir=data_dir), WORK)) as base,
            httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
        ):
            yield client


# Damage


def flip(path: Path, rng: random.Random) -> None:
    """Some bits, in place: the inode stays."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 3)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    in_place(path, bytes(content))


def cut_short(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size))


def longer(path: Path, rng: random.Random) -> None:
    in_place(path, path.read_bytes() + rng.choice([b"\n", b" ", b"x", b"\xff"]))


def not_utf8(path: Path, rng: random.Random) -> None:
    in_place(path, path.read_bytes()[:-1] + rng.choice([b"\xff", b"\xed\xa0\x80"]))


def deep(path: Path, rng: random.Random) -> None:
    in_place(path, rng.choice([b"[", b'{"a":']) * 100_000)


def gone(path: Path, rng: random.Random) -> None:
    del rng
    path.unlink()


def folder_instead(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()
    if rng.random() < 0.5:
        (path / "in it").write_bytes(b"x")


def pipe_instead(path: Path, rng: random.Random) -> None:
    del rng
    path.unlink()
    os.mkfifo(path)


DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (
    *(flip, cut_short, longer, not_utf8, deep, gone, folder_instead, pipe_instead),
)


def in_place(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(content)


def bring_back(path: Path, content: bytes) -> None:
    """As from a backup."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.write_bytes(content)

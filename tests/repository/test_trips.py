"""The trips of docs/architecture.md, walked: a small case is described and planned, and calls are recorded.

What runs in one process is compared: the steps from `describe` or `do` on, but for those of HTTP, jobs and
storage, for classes and for compiled loops, whose calls nobody sees.
"""

import inspect
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from types import FrameType

import pytest
from phantom import write_phantom

from service.operations.case import Case
from service.operations.job_tasks import WORK, JobSpec, describe, do
from service.schemas.result_kinds import ResultKind

ELSEWHERE = ("service.jobs.", "service.storage.", "service.web.", "service.interactive.")
DESCRIBE, PLAN = "service.operations.job_tasks.describe", "service.operations.job_tasks.do"
REQUEST = {
    "target": {"structure": "node_4R"},
    "search": {"covering_radius_mm": 20.0, "max_paths": 1},
    "prescription": None,
}


class Recorder:
    """The functions of the project that are called while it is set, in the order of their first calls."""

    def __init__(self) -> None:
        self.calls: dict[str, None] = {}

    def __enter__(self) -> "Recorder":
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            module = frame.f_globals.get("__name__", "")
            if module.startswith(("anatomy.", "planner.", "service.")):
                self.calls.setdefault(f"{module}.{frame.f_code.co_qualname}")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """By where a trip begins, the functions in the order of their first calls."""
    folder = write_phantom(tmp_path_factory.mktemp("case"))
    case = Case(folder / "labels.nii.gz", names=folder / "labels.json")
    order = JobSpec(ResultKind.PLAN, case, json.dumps(REQUEST).encode(), None, None)
    # Once before: numba's compiler, if it has to run, is many times slower while calls are recorded.
    do(lambda _: True, WORK, order)
    with Recorder() as described:
        describe(lambda _: True, WORK, case)
    with Recorder() as planned:
        do(lambda _: True, WORK, order)
    return {DESCRIBE: list(described.calls | planned.calls), PLAN: list(planned.calls)}


def is_function(dotted: str) -> bool:
    """Whether a step is a function or a method, whose calls can be seen."""
    parts = dotted.split(".")
    for n in range(len(parts) - 1, 0, -1):
        try:
            at = import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            at = getattr(at, part)
        return inspect.isfunction(at)
    return False


def test_the_steps_of_each_trip_are_called_in_their_order(
    repository: Path, calls: dict[str, list[str]]
) -> None:
    page = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    for section in re.split(r"(?m)^### ", page)[1:]:
        names = re.findall(r"(?m)^\d+\. `([\w.]+)`", section)
        first = next(n for n, name in enumerate(names) if name in calls)
        steps = [name for name in names[first:] if not name.startswith(ELSEWHERE) and is_function(name)]
        assert len(steps) >= 5
        assert [name for name in calls[names[first]] if name in steps] == steps

"""Appraisers: many needles are shared among sandboxes without any effect on the answer."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phantom import write_phantom

from planner.records.paths import Aim
from service.interactive import appraisers as module
from service.interactive.appraise_task import NeedlesTask, appraise, joined
from service.interactive.appraisers import SHARED_FROM, Appraisers
from service.jobs.error_reports import report_of
from service.jobs.errors import UnusableInput
from service.operations.case import Case
from service.schemas.appraisal import NeedlesBody
from service.settings import Settings
from service.storage.file_store import StoredCase

REQUEST: dict[str, Any] = {"target": {"structure": "node_4R"}}
ID = f"{1:08x}{'0' * 56}"
"""The id of a case whose own sandbox is the second of two."""


def body(count: int, request: dict[str, Any] = REQUEST) -> NeedlesBody:
    rng = np.random.default_rng(0)
    entries = np.array([0.0, -150.0, 20.0]) + rng.normal(scale=15.0, size=(count, 3))
    paths = [{"entry_mm": entry, "tip_mm": [-18.2, 6.8, 8.0]} for entry in entries.tolist()]
    return NeedlesBody.model_validate_json(json.dumps({"paths": paths, "request": request}))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = write_phantom(tmp_path_factory.mktemp("phantom"))
    return Case(folder / "labels.nii.gz", folder / "labels.json")


def answer(sandboxes: Appraisers, case: Case, needles: NeedlesBody) -> bytes:
    request = needles.request.model_dump_json(by_alias=True).encode()
    stored = StoredCase({"id": ID, "files": []}, case, Path("/nowhere"))
    return asyncio.run(sandboxes.appraised("ann", stored, request, needles))


@pytest.fixture(scope="module")
def two_sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appraisers]:
    appraiser_pool = Appraisers(Settings(data_dir=tmp_path_factory.mktemp("data"), appraisers=2))
    yield appraiser_pool
    appraiser_pool.close()


@pytest.fixture
def sandbox_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, int]]:
    """The sandbox and the number of needles of each call."""
    calls: list[tuple[object, int]] = []
    run_task = module.SandboxPool.run

    async def run(self: module.SandboxPool, *arguments: Any) -> Any:
        calls.append((self, len(arguments[-1].entries_mm)))
        return await run_task(self, *arguments)

    monkeypatch.setattr(module.SandboxPool, "run", run)
    return calls


def test_many_needles_are_shared_among_sandboxes_with_equal_answers(
    two_sandboxes: Appraisers, case: Case, sandbox_calls: list[tuple[object, int]], tmp_path: Path
) -> None:
    needles = body(SHARED_FROM + 1)
    shared = answer(two_sandboxes, case, needles)
    assert sorted(count for _, count in sandbox_calls) == [50, 51]
    assert len({sandbox for sandbox, _ in sandbox_calls}) == 2
    single_sandbox = Appraisers(Settings(data_dir=tmp_path, appraisers=1))
    try:
        unshared = answer(single_sandbox, case, needles)
    finally:
        single_sandbox.close()
    assert unshared == shared
    document = json.loads(shared)
    assert len(document["paths"]) == SHARED_FROM + 1
    assert set(document) == {"paths", "missing_structures", "notes", "skin_structures", "skin_source"}
    assert len({tuple(path["direction"]) for path in document["paths"]}) == SHARED_FROM + 1


def test_few_needles_go_only_to_the_cases_own_sandbox(
    two_sandboxes: Appraisers, case: Case, sandbox_calls: list[tuple[object, int]]
) -> None:
    for count in (1, SHARED_FROM - 1):
        answer(two_sandboxes, case, body(count))
    assert [count for _, count in sandbox_calls] == [1, SHARED_FROM - 1]
    assert {sandbox for sandbox, _ in sandbox_calls} == {two_sandboxes._sandboxes[1]}


def test_an_unusable_request_is_one_problem_from_all_sandboxes(two_sandboxes: Appraisers, case: Case) -> None:
    with pytest.raises(UnusableInput) as caught:
        answer(two_sandboxes, case, body(SHARED_FROM, {"target": {"structure": "x"}}))
    assert [error.pointer for error in report_of(caught.value).errors] == ["/request/target/structure"]


@pytest.mark.parametrize(("count", "most_parts", "sizes"), [(5, 2, [2, 3]), (3, 4, [1, 1, 1]), (4, 1, [4])])
def test_parts_are_in_order_and_of_about_equal_size(count: int, most_parts: int, sizes: list[int]) -> None:
    entries, tips = np.arange(3.0 * count).reshape(-1, 3), np.zeros((count, 3))
    parts = NeedlesTask(Case("thorax"), b"{}", entries, tips, (Aim.PTV,) * count).parts(most_parts)
    assert [len(part.tips_mm) for part in parts] == sizes
    assert np.array_equal(np.vstack([part.entries_mm for part in parts]), entries)


def test_any_division_of_needles_gives_the_same_bytes(case: Case) -> None:
    needles_body = body(12)
    entries, tips = (
        np.array([getattr(n, name) for n in needles_body.paths]) for name in ("entry_mm", "tip_mm")
    )
    aims = (Aim.TARGET, Aim.PTV, Aim.GIVEN) * 4
    needles = NeedlesTask(
        case, needles_body.request.model_dump_json(by_alias=True).encode(), entries, tips, aims
    )
    undivided = joined([appraise(lambda _: None, needles)])
    for most_parts in (2, 5, 12):
        assert joined([appraise(lambda _: None, part) for part in needles.parts(most_parts)]) == undivided

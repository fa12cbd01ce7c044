"""How much of the machine's memory one process may take."""

from pathlib import Path

import psutil
import pytest

from service.jobs.memory_limits import (
    LEAST_BYTES,
    appraisal_memory_bytes,
    job_memory_bytes,
    memory_bytes,
    memory_text,
    reading_memory_bytes,
)
from service.settings import Settings

HERE = psutil.virtual_memory().total
GIB = 1 << 30


def machine(root: Path, groups: str, **limits: str) -> Path:
    """A folder in which the system's files lie: those of our control groups, "/" written as "__"."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for place, text in limits.items():
        path = root / "sys/fs/cgroup" / place.replace("__", "/")
        path = path.with_name(path.name.replace("-", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("", {}, HERE),
        ("0::/\n", {"memory-max": "max\n"}, HERE),
        ("0::/\n", {"memory-max": "1073741824\n"}, GIB),
        ("0::/a/b\n", {"a__b__memory-max": "max\n", "a__memory-max": "2147483648\n"}, 2 * GIB),
        ("0::/a/b\n", {"a__b__memory-max": "1073741824\n", "a__memory-max": "2147483648\n"}, GIB),
        # Of a container: its group is named as the machine sees it, and mounted at the top.
        ("0::/docker/5e\n", {"memory-max": "1073741824\n"}, GIB),
        ("4:memory:/a\n0::/\n", {"memory__a__memory-limit_in_bytes": "1073741824\n"}, GIB),
        ("4:cpu,memory:/docker/5e\n", {"memory__memory-limit_in_bytes": "1073741824\n"}, GIB),
        ("4:memory:/\n", {"memory__memory-limit_in_bytes": "9223372036854771712\n"}, HERE),
        ("no line of a group\n4:cpu:/a\n", {"a__memory-max": "1"}, HERE),
        ("0::/\n", {"memory-max": "0\n"}, HERE),
    ],
)
def test_the_smallest_limit_holds(tmp_path: Path, groups: str, limits: dict[str, str], expected: int) -> None:
    assert memory_bytes(machine(tmp_path, groups, **limits)) == expected


def test_all_that_may_run_at_once_leaves_a_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.jobs.memory_limits.memory_bytes", lambda: 64 * GIB)
    for workers, appraisers, readers in ((1, 2, 2), (4, 1, 3), (8, 4, 2)):
        settings = Settings(workers=workers, appraisers=appraisers, readers=readers)
        taken = (
            workers * job_memory_bytes(settings)
            + appraisers * appraisal_memory_bytes(settings)
            + readers * reading_memory_bytes(settings)
        )
        assert 47.9 * GIB < taken <= 48 * GIB
        assert job_memory_bytes(settings) == pytest.approx(2 * reading_memory_bytes(settings), abs=2)


def test_a_setting_wins_and_a_small_machine_has_a_least_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.jobs.memory_limits.memory_bytes", lambda: 2 * GIB)
    assert reading_memory_bytes(Settings()) == LEAST_BYTES
    given = Settings(job_memory_bytes=5, reading_memory_bytes=6, appraisal_memory_bytes=7)
    assert (job_memory_bytes(given), reading_memory_bytes(given), appraisal_memory_bytes(given)) == (5, 6, 7)


def test_memory_limits_are_stated_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.jobs.memory_limits.memory_bytes", lambda: 24 * GIB)
    assert memory_text(Settings()) == (
        "memory: 6.0 GiB for each of 1 jobs at work, 3.0 GiB for each of 2 readers, 3.0 GiB for each of 2 "
        "appraisers, of 24.0 GiB here"
    )

"""How much of the machine's memory each process may use."""

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

MACHINE_BYTES = psutil.virtual_memory().total
GIB = 1 << 30


def write_machine_files(root: Path, groups: str, **limits: str) -> Path:
    """A folder with the system files of the process's control groups, "/" written as "__"."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for key, text in limits.items():
        path = root / "sys/fs/cgroup" / key.replace("__", "/")
        path = path.with_name(path.name.replace("-", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("", {}, MACHINE_BYTES),
        ("0::/\n", {"memory-max": "max\n"}, MACHINE_BYTES),
        ("0::/\n", {"memory-max": "1073741824\n"}, GIB),
        ("0::/a/b\n", {"a__b__memory-max": "max\n", "a__memory-max": "2147483648\n"}, 2 * GIB),
        ("0::/a/b\n", {"a__b__memory-max": "1073741824\n", "a__memory-max": "2147483648\n"}, GIB),
        # In a container: the group has its name on the host, and is mounted at the root.
        ("0::/docker/5e\n", {"memory-max": "1073741824\n"}, GIB),
        ("4:memory:/a\n0::/\n", {"memory__a__memory-limit_in_bytes": "1073741824\n"}, GIB),
        ("4:cpu,memory:/docker/5e\n", {"memory__memory-limit_in_bytes": "1073741824\n"}, GIB),
        ("4:memory:/\n", {"memory__memory-limit_in_bytes": "9223372036854771712\n"}, MACHINE_BYTES),
        ("no line of a group\n4:cpu:/a\n", {"a__memory-max": "1"}, MACHINE_BYTES),
        ("0::/\n", {"memory-max": "0\n"}, MACHINE_BYTES),
    ],
)
def test_the_smallest_limit_holds(tmp_path: Path, groups: str, limits: dict[str, str], expected: int) -> None:
    assert memory_bytes(write_machine_files(tmp_path, groups, **limits)) == expected


def test_all_concurrent_processes_together_leave_a_quarter_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.jobs.memory_limits.memory_bytes", lambda: 64 * GIB)
    for workers, appraisers, readers in ((1, 2, 2), (4, 1, 3), (8, 4, 2)):
        settings = Settings(workers=workers, appraisers=appraisers, readers=readers)
        total_bytes = (
            workers * job_memory_bytes(settings)
            + appraisers * appraisal_memory_bytes(settings)
            + readers * reading_memory_bytes(settings)
        )
        assert 47.9 * GIB < total_bytes <= 48 * GIB
        assert job_memory_bytes(settings) == pytest.approx(2 * reading_memory_bytes(settings), abs=2)


def test_a_setting_takes_precedence_and_a_small_machine_gets_the_minimum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.jobs.memory_limits.memory_bytes", lambda: 2 * GIB)
    assert reading_memory_bytes(Settings()) == LEAST_BYTES
    settings = Settings(job_memory_bytes=5, reading_memory_bytes=6, appraisal_memory_bytes=7)
    assert (job_memory_bytes(settings), reading_memory_bytes(settings), appraisal_memory_bytes(settings)) == (
        5,
        6,
        7,
    )


def test_the_limits_are_described_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.jobs.memory_limits.memory_bytes", lambda: 24 * GIB)
    assert memory_text(Settings()) == (
        "memory: 6.0 GiB for each of 1 jobs at work, 3.0 GiB for each of 2 readers, 3.0 GiB for each of 2 "
        "appraisers, of 24.0 GiB here"
    )

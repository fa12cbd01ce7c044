"""Memory limits: how much memory this machine gives us, and the share of it that one process may use.

    machine, or the smallest limit of our control groups (v1, v2)
    |-- a quarter     for the server, its workers, the database and the system
    `-- the rest      in parts: two for each running job, one for each process that reads or appraises

A limit in the settings replaces a share.
"""

from pathlib import Path

import psutil

from service.settings import MIB, Settings

KEPT_FREE = 0.25
"""Share that no sandbox may use [U]."""

JOB_PARTS = 2
"""Parts of the rest for a job; reading and appraising get one part each [U]."""

LEAST_BYTES = 1024 * MIB
"""Lower bound of a share [U]: a process that has loaded the planner uses a third of it."""


def job_memory_bytes(settings: Settings) -> int:
    """The most that one job may use, on the machine that calls this. [bytes]"""
    return settings.job_memory_bytes or _share_bytes(settings, JOB_PARTS)


def reading_memory_bytes(settings: Settings) -> int:
    """The most that reading one upload may use. [bytes]"""
    return settings.reading_memory_bytes or _share_bytes(settings, 1)


def appraisal_memory_bytes(settings: Settings) -> int:
    """The most that a process that appraises needles may use, with the scenes that it caches. [bytes]"""
    return settings.appraisal_memory_bytes or _share_bytes(settings, 1)


def memory_text(settings: Settings) -> str:
    """The limits of all processes, as a message at the start."""
    shares = (
        f"{memory / (1 << 30):.1f} GiB for each of {count} {name}"
        for memory, count, name in (
            (job_memory_bytes(settings), settings.workers, "jobs at work"),
            (reading_memory_bytes(settings), settings.readers, "readers"),
            (appraisal_memory_bytes(settings), settings.appraisers, "appraisers"),
        )
    )
    return f"memory: {', '.join(shares)}, of {memory_bytes() / (1 << 30):.1f} GiB here"


def _share_bytes(settings: Settings, parts: int) -> int:
    all_parts = JOB_PARTS * settings.workers + settings.appraisers + settings.readers
    return max(LEAST_BYTES, int((1.0 - KEPT_FREE) * memory_bytes() * parts / all_parts))


def memory_bytes(root: Path = Path("/")) -> int:
    """The memory of this machine, or less where our control groups are limited. `root` is the root of the
    system's files. [bytes]"""
    return min([int(psutil.virtual_memory().total), *_limits_bytes(root)])


def _limits_bytes(root: Path) -> list[int]:
    """The limits of our control groups and of those around them; a container sees its own at the top."""
    groups = root / "sys/fs/cgroup"
    limits: list[int] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not controllers:
            top, name = groups, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        own = top / path.lstrip("/")
        for group in (own, *own.parents):
            text = _text(group / name).strip()
            # Without a limit the file holds "max", or a number larger than any machine.
            if text.isdigit() and int(text) > 0:
                limits.append(int(text))
            if group == top:
                break
    return limits


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""

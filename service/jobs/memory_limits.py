"""Memory: how much this machine lets us have, and the share of it that one process may take.

    machine, or the smallest limit of our control groups (v1, v2)
    |-- a quarter     for the server, its workers, the database and the system
    `-- three         in parts: two for each job at work, one for each process that reads or appraises

A limit in the settings stands instead of a share.
"""

from pathlib import Path

import psutil

from service.settings import MIB, Settings

KEPT_FREE = 0.25
"""Share that no sandbox may take [U]."""

JOB_PARTS = 2
"""A job's parts of what is left; reading and appraising have one each [U]."""

LEAST_BYTES = 1024 * MIB
"""No share is less [U]: a process that has loaded the planner takes a third of it."""


def job_memory_bytes(settings: Settings) -> int:
    """What one job may take, on the machine that this is called on. [bytes]"""
    return settings.job_memory_bytes or _share_bytes(settings, JOB_PARTS)


def reading_memory_bytes(settings: Settings) -> int:
    """What reading one upload may take. [bytes]"""
    return settings.reading_memory_bytes or _share_bytes(settings, 1)


def appraisal_memory_bytes(settings: Settings) -> int:
    """What a process that appraises needles may take, with the scenes that it keeps. [bytes]"""
    return settings.appraisal_memory_bytes or _share_bytes(settings, 1)


def told_memory(settings: Settings) -> str:
    """What each process may take, to be told at the start."""
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
    """What this machine has, or the control groups that we are in allow. `root` is where the system's files
    lie. [bytes]"""
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
            # Without a limit it says "max", or what no machine has.
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

"""What the system says of a process."""

import time

import psutil

GENEROUS_S = 60.0


def is_gone(pid: int) -> bool:
    end = time.monotonic() + GENEROUS_S
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False

"""Work spread over threads. Compiled loops release the interpreter's lock and write rows of their own, so
the result is the same on one thread or many."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

PIECES_PER_THREAD = 8
"""Rows differ in cost; smaller pieces even that out."""


def thread_count() -> int:
    """How many threads to use: SEEDPATH_THREADS, else the cores this process may run on."""
    return int(os.environ.get("SEEDPATH_THREADS", "0")) or len(os.sched_getaffinity(0))


def parallel_for(work: Callable[[int, int], object], count: int) -> None:
    """Call work(first, last) over consecutive ranges that cover 0..count, on all threads.

    Returns when all are done. An exception of any piece is raised again here.
    """
    threads = thread_count()
    pieces = min(count, threads * PIECES_PER_THREAD)
    if pieces < 2 or threads == 1:
        if count:
            work(0, count)
        return
    edges = [count * n // pieces for n in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, a, b) for a, b in pairwise(edges)]:
            done.result()

"""Parallel loops over threads. Compiled loops release the interpreter's lock, and each writes its own rows,
so the result is the same with one thread or many."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

PIECES_PER_THREAD = 8
"""Rows differ in cost; smaller pieces balance the load."""


def thread_count() -> int:
    """Number of threads: SEEDPATH_THREADS, else the cores that this process may use."""
    return int(os.environ.get("SEEDPATH_THREADS", "0")) or len(os.sched_getaffinity(0))


def parallel_for(work: Callable[[int, int], object], count: int) -> None:
    """Call work(first, last) over consecutive ranges that cover 0..count, on all threads.

    Returns when all ranges are done. Raises the first exception of a range.
    """
    threads = thread_count()
    pieces = min(count, threads * PIECES_PER_THREAD)
    if pieces < 2 or threads == 1:
        if count:
            work(0, count)
        return
    edges = [count * n // pieces for n in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work, a, b) for a, b in pairwise(edges)]:
            future.result()

"""Descriptors: how many files and connections this process may have open at once, and how many of them are
for connections.
"""

import contextlib
import resource

KEPT_BACK = 256
"""For all else: files that are written and sent, the database, sandboxes, Dask. A server that idles has about
60 open [U]."""


def raise_limit(connections: int) -> int:
    """Have the system allow so many connections and what is kept back for all else, or as many as it may.
    Returns how many of what it allows are for connections: never less than half."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + KEPT_BACK
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        # What may not be raised stays as it is.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    return connections if soft == resource.RLIM_INFINITY else share_of(soft, connections)


def share_of(limit: int, connections: int) -> int:
    """How many of so many descriptors are for connections."""
    return max(1, min(connections, max(limit - KEPT_BACK, limit // 2)))

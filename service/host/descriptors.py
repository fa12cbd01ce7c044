"""File descriptors: how many this process may open, and how many of them are for connections."""

import contextlib
import resource

KEPT_BACK = 256
"""Descriptors for everything else: files that are written and sent, the database, sandboxes, Dask. An idle
server has about 60 open [U]."""


def raise_limit(connections: int) -> int:
    """Raise the system's limit to this many connections plus KEPT_BACK, or as far as allowed. Returns how
    many descriptors are for connections: never less than half."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + KEPT_BACK
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        # A limit that may not be raised stays as it is.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    return connections if soft == resource.RLIM_INFINITY else share_of(soft, connections)


def share_of(limit: int, connections: int) -> int:
    """How many of `limit` descriptors are for connections."""
    return max(1, min(connections, max(limit - KEPT_BACK, limit // 2)))

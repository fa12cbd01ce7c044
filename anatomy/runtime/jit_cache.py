"""Where compiled loops are cached between runs.

numba notices when the file of a cached function changes, but not when the file of a called function does:
after an upgrade, an old clearance test could still run inside a new search. So the name of the cache folder
contains a digest of all sources, and changed sources start with an empty folder.

numba asks for the folder when a function is decorated: call `use_versioned_cache` before decorating.
"""

import functools
import os
from hashlib import sha256
from pathlib import Path

import numba

PACKAGES = ("anatomy", "planner")
"""Packages that hold compiled loops."""

ROOT = Path(__file__).parents[2]
"""The folder that holds them."""


def sources_digest(root: Path) -> str:
    """sha256, in hex, over all Python files of PACKAGES below `root`, by name and content."""
    digest = sha256()
    for package in PACKAGES:
        files = sorted((root / package).rglob("*.py"))
        if not files:
            raise AssertionError(f"no source of {package} below {root}: outdated compiled loops could run")
        for file in files:
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


@functools.cache
def use_versioned_cache() -> None:
    """Use this version's folder as numba's cache, unless NUMBA_CACHE_DIR is set. Once in a process."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "seedpath" / sources_digest(ROOT)[:16]
    # numba creates its settings at import, so they have no types.
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]

"""Where compiled loops are kept between runs.

numba notices when the file of a cached function changes, but not when a function that it calls does: an
upgrade could go on running an old clearance test inside a new search. So the cache's folder bears a digest of
all sources, and changed sources find an empty one.
"""

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
            raise AssertionError(f"no source of {package} below {root}: old compiled loops could run")
        for file in files:
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def use_versioned_cache() -> None:
    """Point numba at this version's folder, unless NUMBA_CACHE_DIR already says where."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "seedpath" / sources_digest(ROOT)[:16]
    # numba makes its settings when it is imported; no type says which there are.
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]

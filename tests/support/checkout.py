"""Where the checkout is, and what processes that tests start may import."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout's root."""

TESTS = ROOT / "tests"
SUPPORT = TESTS / "support"

SUPPORT_FOLDERS = [
    SUPPORT,
    *(SUPPORT / name for name in ("fuzz", "oracles", "plans", "processes", "scenes", "stand_ins")),
]
"""As pyproject.toml gives them to pytest."""

PATHS = os.pathsep.join(map(str, [*SUPPORT_FOLDERS, ROOT]))
"""PYTHONPATH of a process that unpickles stand-ins."""

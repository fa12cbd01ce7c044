"""Run a module of tests/support as a program: `python tests/run.py MODULE ARGUMENTS...`."""

import runpy
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "support"), str(Path(__file__).parents[1])]

from checkout import SUPPORT_FOLDERS

if __name__ == "__main__":
    sys.path[:0] = map(str, SUPPORT_FOLDERS)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__")

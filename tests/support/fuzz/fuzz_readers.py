"""Damaged files by the thousand: whatever is read, the answer is a value or one of our own errors.

    python tests/run.py fuzz_readers                                    kinds
    python tests/run.py fuzz_readers nifti-labels 100000                so many inputs of one kind
    python tests/run.py fuzz_readers nifti-labels 1 --seed 4711         one of them again

A kind is a row of `KINDS`; the rows stand in modules of their own (fuzz_voxels, fuzz_surfaces,
fuzz_requests, fuzz_uploads).
"""

import argparse
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from fuzz_kind import Bench, FuzzKind, Tried
from fuzz_requests import REQUEST_KINDS
from fuzz_surfaces import SURFACE_KINDS
from fuzz_uploads import UPLOAD_KINDS
from fuzz_voxels import VOXEL_KINDS

KINDS: dict[str, FuzzKind] = {**VOXEL_KINDS, **SURFACE_KINDS, **REQUEST_KINDS, **UPLOAD_KINDS}

MOST_FAULTS = 20
"""A run ends after as many: they have few causes."""


def run(name: str, count: int, first: int, folder: Path) -> Iterator[Tried]:
    """What becomes of the inputs `first` to `first + count` of one kind."""
    bench = Bench(name, KINDS, folder / name)
    for seed in range(first, first + count):
        yield bench.tried(seed)


def main() -> int:
    """Run one kind by hand; the exit status is 1 where there is a fault."""
    parser = argparse.ArgumentParser(description="Read damaged files of one kind.")
    parser.add_argument("kind", nargs="?", choices=sorted(KINDS))
    parser.add_argument("count", nargs="?", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first input")
    arguments = parser.parse_args()
    if arguments.kind is None:
        print(*sorted(KINDS), sep="\n")
        return 0
    warnings.simplefilter("error")
    began, slowest, read, faults = time.monotonic(), (0.0, arguments.seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for tried in run(arguments.kind, arguments.count, arguments.seed, Path(folder)):
            slowest = max(slowest, (tried.took_s, tried.seed))
            read += tried.read
            if tried.fault is not None:
                faults += 1
                print(tried.told(), flush=True)
                if isinstance(tried.fault, Exception) and arguments.count == 1:
                    traceback.print_exception(tried.fault)
                if faults == MOST_FAULTS:
                    break
    print(
        f"{arguments.kind}: inputs {arguments.seed} to {tried.seed} in {time.monotonic() - began:.0f} s: "
        f"{faults} faults, {read} read, the others refused; "
        f"the slowest took {slowest[0]:.2f} s (seed {slowest[1]})."
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

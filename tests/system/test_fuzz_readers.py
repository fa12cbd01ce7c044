"""Damaged files of each kind are read, or refused with an error of this project. Longer: fuzz_readers."""

from pathlib import Path

import pytest
from fuzz_readers import KINDS, run

QUICK, LONG = 40, 200

FEW = {("plan-verified", QUICK): 10, ("plan-verified", LONG): 30}
"""Fewer inputs for kinds whose readers are slow."""


@pytest.mark.parametrize(
    "inputs", [pytest.param(QUICK, id="few"), pytest.param(LONG, id="many", marks=pytest.mark.long)]
)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_damaged_files_are_read_or_refused(kind: str, inputs: int, tmp_path: Path) -> None:
    inputs = FEW.get((kind, inputs), inputs)
    trials = list(run(kind, inputs, 0, tmp_path))
    assert [trial.told() for trial in trials if trial.fault is not None] == []
    # Both must happen: a kind that is always refused, or never, tests nothing.
    assert 0 < sum(trial.read for trial in trials) < inputs


def test_a_fault_is_found_and_can_be_reproduced(tmp_path: Path) -> None:
    from fuzz_kind import Bench, FuzzKind

    def write_number(folder: Path) -> list[Path]:
        (folder / "number.txt").write_bytes(b"value 17 end")
        return [folder / "number.txt"]

    def read_number(path: Path) -> int:
        return int(path.read_bytes().split()[1])

    bench = Bench("number", {"number": FuzzKind(write_number, read_number)}, tmp_path / "number")
    faults = [trial for trial in map(bench.tried, range(100)) if trial.fault is not None]
    assert faults
    repeated = bench.tried(faults[0].seed)
    assert repr(repeated.fault) == repr(faults[0].fault)
    assert f"number 1 --seed {repeated.seed}" in repeated.told()
    assert bench.files[0].read_bytes() == b"value 17 end"

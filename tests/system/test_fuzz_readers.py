"""Damaged files of each kind are read, or refused by our own errors. More by hand: fuzz_readers."""

from pathlib import Path

import pytest
from fuzz_readers import KINDS, run

QUICK, LONG = 40, 200

FEW = {("plan-verified", QUICK): 10, ("plan-verified", LONG): 30}
"""Kinds whose readers take long."""


@pytest.mark.parametrize(
    "inputs", [pytest.param(QUICK, id="few"), pytest.param(LONG, id="many", marks=pytest.mark.long)]
)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_damage_is_read_or_refused_never_worse(kind: str, inputs: int, tmp_path: Path) -> None:
    inputs = FEW.get((kind, inputs), inputs)
    trials = list(run(kind, inputs, 0, tmp_path))
    assert [t.told() for t in trials if t.fault is not None] == []
    # Both happen: a kind that is always refused, or never, tries nothing.
    assert 0 < sum(t.read for t in trials) < inputs


def test_a_fault_is_seen_and_can_be_seen_again(tmp_path: Path) -> None:
    from fuzz_kind import Bench, FuzzKind

    def written(folder: Path) -> list[Path]:
        (folder / "number.txt").write_bytes(b"value 17 end")
        return [folder / "number.txt"]

    def read(path: Path) -> int:
        return int(path.read_bytes().split()[1])

    bench = Bench("number", {"number": FuzzKind(written, read)}, tmp_path / "number")
    faults = [trial for trial in map(bench.tried, range(100)) if trial.fault is not None]
    assert faults
    repeated = bench.tried(faults[0].seed)
    assert repr(repeated.fault) == repr(faults[0].fault)
    assert f"number 1 --seed {repeated.seed}" in repeated.told()
    assert bench.files[0].read_bytes() == b"value 17 end"

"""Random path plans: each is made, written, read back and verified. None may fail or be refused on reading.

python tests/run.py random_plans FIRST COUNT plans these chests and prints every failure.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

from random_chests import random_chest
from small_chests import Chest

from anatomy.errors import AnatomyError
from planner.plan import plan
from planner.records.paths import LUNG_ROUNDING_MM, PLEURAL_RUN_MM
from planner.verify import verify
from service.schemas.json.strict import NotJson, Refused
from service.schemas.plan.file import read_plan, write_plan

REPEAT_INTERVAL = 10
"""One plan in this many is made twice, which takes as long as the first time."""
PROGRESS_INTERVAL = 25
"""Progress is printed after each this many plans."""


@dataclass(frozen=True)
class Trial:
    """The result for one chest: the status of its plan, and its faults."""

    number: int
    status: str
    faults: tuple[str, ...]


def trial(number: int) -> Trial:
    """Plan the chest of this number and check everything that must be true of the plan."""
    chest = random_chest(number)
    planned = plan(chest.scene, chest.request).plan
    return Trial(number, str(planned.outcome.status), tuple(_faults(chest, write_plan(planned), number)))


def _faults(chest: Chest, text: bytes, number: int) -> Iterator[str]:
    try:
        file = read_plan(text)
    except (NotJson, Refused) as refusal:
        yield f"not read back: {refusal}"
        return
    if file.claimed_sha256 != file.content_sha256 or write_plan(file.plan) != text:
        yield "read back as another plan"
    # The plan's own verification, and that of the plan as read.
    for origin, verification in (("made", file.plan.verification), ("read", verify(file.plan, chest.scene))):
        if verification is None:
            yield f"as {origin}: not verified"
            continue
        for check in verification.checks:
            if not check.passed:
                yield f"as {origin}: {check.name}, {check.subject}: {check.claimed} for {check.recomputed}"
    if " 0.0 mm" in file.plan.outcome.message:
        yield f"a length above zero written as 0.0: {file.plan.outcome.message}"
    for path in file.plan.paths:
        if (path.pleural_punctures == 0) != (path.lung_length_mm < PLEURAL_RUN_MM - LUNG_ROUNDING_MM):
            yield f"{path.id}: {path.pleural_punctures} punctures by {path.lung_length_mm} mm of lung"
    if number % REPEAT_INTERVAL == 0 and write_plan(plan(chest.scene, file.plan.request).plan) != text:
        yield "planning again gives another plan"


def main(first: int, count: int) -> int:
    """Plan `count` chests from number `first` on; the exit status is 1 if a plan failed."""
    start_s, status_counts = perf_counter(), Counter[str]()
    failed = 0
    for number in range(first, first + count):
        try:
            outcome = trial(number)
        except AnatomyError as refusal:
            # A refused chest has no plan, so nothing can be wrong with it.
            print(f"{number}: refused: {refusal}", flush=True)
            status_counts["refused"] += 1
            continue
        status_counts[outcome.status] += 1
        failed += bool(outcome.faults)
        for fault in outcome.faults:
            print(f"{number}: {fault}", flush=True)
        if sum(status_counts.values()) % PROGRESS_INTERVAL == 0:
            print(f"{sum(status_counts.values())} done, {failed} failed", file=sys.stderr, flush=True)
    counts_text = ", ".join(f"{n} {status}" for status, n in sorted(status_counts.items()))
    print(f"{count} plans from {first} on: {counts_text}; {failed} failed; {perf_counter() - start_s:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))

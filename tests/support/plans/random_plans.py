"""Random path plans, each made, written, read back and verified: none may fail, none be refused on reading.

python tests/run.py random_plans FIRST COUNT plans these chests and tells of every one that fails.
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

MADE_AGAIN = 10
"""Of so many plans one is made again: it takes as long as the first time."""
TOLD_EVERY = 25
"""Of so many plans one tells how far it is."""


@dataclass(frozen=True)
class Trial:
    """What became of one chest: how its plan ended, and whatever was wrong with it."""

    number: int
    status: str
    faults: tuple[str, ...]


def trial(number: int) -> Trial:
    """Plan the chest of that number, and hold the plan against all that must be true of it."""
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
    for when, verification in (("made", file.plan.verification), ("read", verify(file.plan, chest.scene))):
        if verification is None:
            yield f"as {when}: not verified"
            continue
        for check in verification.checks:
            if not check.passed:
                yield f"as {when}: {check.name}, {check.subject}: {check.claimed} for {check.recomputed}"
    if " 0.0 mm" in file.plan.outcome.message:
        yield f"more than nothing, called 0.0: {file.plan.outcome.message}"
    for path in file.plan.paths:
        if (path.pleural_punctures == 0) != (path.lung_length_mm < PLEURAL_RUN_MM - LUNG_ROUNDING_MM):
            yield f"{path.id}: {path.pleural_punctures} punctures by {path.lung_length_mm} mm of lung"
    if number % MADE_AGAIN == 0 and write_plan(plan(chest.scene, file.plan.request).plan) != text:
        yield "not made again"


def main(first: int, count: int) -> int:
    """Try that many chests from number `first` on; the exit status is 1 where a plan failed."""
    begun, ends = perf_counter(), Counter[str]()
    failed = 0
    for number in range(first, first + count):
        try:
            outcome = trial(number)
        except AnatomyError as refusal:
            # Of a chest that is refused no plan is made, and none is wrong.
            print(f"{number}: refused: {refusal}", flush=True)
            ends["refused"] += 1
            continue
        ends[outcome.status] += 1
        failed += bool(outcome.faults)
        for fault in outcome.faults:
            print(f"{number}: {fault}", flush=True)
        if sum(ends.values()) % TOLD_EVERY == 0:
            print(f"{sum(ends.values())} done, {failed} failed", file=sys.stderr, flush=True)
    counts_text = ", ".join(f"{n} {status}" for status, n in sorted(ends.items()))
    print(f"{count} plans from {first} on: {counts_text}; {failed} failed; {perf_counter() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))

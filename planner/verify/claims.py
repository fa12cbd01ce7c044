"""Claims: collects checks, each with what was claimed, what was recomputed and how far they may differ."""

from collections.abc import Callable, Iterable
from math import isfinite
from typing import TypeVar

from planner.records.verification import Check, Verification

T = TypeVar("T")


def first_agreeing(readings: Iterable[T], agrees: Callable[[T], bool]) -> T:
    """The first of several equally valid readings that agrees with a claim, or the first of all.

    Readings are computed only as far as needed. There must be at least one.
    """
    remaining = iter(readings)
    first = next(remaining)
    if agrees(first):
        return first
    return next((reading for reading in remaining if agrees(reading)), first)


class Claims:
    """Collects checks, in the order they were made."""

    def __init__(self, not_recomputed: tuple[str, ...] = ()) -> None:
        self._checks: list[Check] = []
        self._not_recomputed = not_recomputed

    def verification(self) -> Verification:
        """All checks. They pass only if every one of them passes."""
        return Verification(all(c.passed for c in self._checks), tuple(self._checks), self._not_recomputed)

    def equal(self, name: str, subject: str, claimed: float, recomputed: float, tolerance: float) -> None:
        """A number that must agree to `tolerance`."""
        self._add(name, subject, claimed, recomputed, tolerance, abs(claimed - recomputed) <= tolerance)

    def any_of(
        self, name: str, subject: str, claimed: float, readings: Iterable[float], tolerance: float
    ) -> None:
        """A number that must agree with one of several equally valid readings."""
        recomputed = first_agreeing(readings, lambda value: abs(value - claimed) <= tolerance)
        self.equal(name, subject, claimed, recomputed, tolerance)

    def at_least(self, name: str, subject: str, bound: float, recomputed: float, tolerance: float) -> None:
        """A recomputed number that must reach the `bound` that was claimed."""
        self._add(name, subject, bound, recomputed, tolerance, recomputed >= bound - tolerance)

    def at_most(self, name: str, subject: str, bound: float, recomputed: float, tolerance: float) -> None:
        """A recomputed number that must not exceed the `bound` that was claimed."""
        self._add(name, subject, bound, recomputed, tolerance, recomputed <= bound + tolerance)

    def same(self, name: str, subject: str, claimed: str, recomputed: str) -> None:
        """A text that must be equal."""
        self._add(name, subject, claimed, recomputed, 0.0, claimed == recomputed)

    def holds(self, name: str, subject: str, claimed: str, recomputed: str, passed: bool) -> None:
        """A statement in words, which is true or not."""
        self._add(name, subject, claimed, recomputed, 0.0, passed)

    def _add(
        self,
        name: str,
        subject: str,
        claimed: float | str,
        recomputed: float | str,
        tolerance: float,
        passed: bool,
    ) -> None:
        self._checks.append(
            Check(name, subject, _written(claimed), _written(recomputed), tolerance, bool(passed))
        )


def _written(value: float | str) -> float | str:
    """The value as JSON can hold it. JSON has no infinity and no NaN: they become text."""
    if isinstance(value, str):
        return value
    return float(value) if isfinite(value) else repr(float(value))

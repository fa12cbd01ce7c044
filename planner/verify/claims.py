"""Claims: collects checks, each with what was claimed, what was recomputed and how far they may differ."""

from collections.abc import Iterable
from math import isfinite

from planner.records import Check, Verification


def closest(claimed: float, values: Iterable[float], tolerance: float) -> float:
    """The first of `values` within `tolerance` of what was claimed, else the first of all.

    `values` is read only as far as needed. It must not be empty.
    """
    readings = iter(values)
    first = next(readings)
    if abs(first - claimed) <= tolerance:
        return first
    return next((v for v in readings if abs(v - claimed) <= tolerance), first)


class Claims:
    """Checks, in the order they were made."""

    def __init__(self) -> None:
        self._checks: list[Check] = []

    def verification(self) -> Verification:
        """All checks; passed only if every one is."""
        return Verification(all(c.passed for c in self._checks), tuple(self._checks))

    def equal(self, name: str, subject: str, claimed: float, recomputed: float, tolerance: float) -> None:
        """A number that must agree to `tolerance`."""
        self._add(name, subject, claimed, recomputed, tolerance, abs(claimed - recomputed) <= tolerance)

    def any_of(
        self, name: str, subject: str, claimed: float, readings: Iterable[float], tolerance: float
    ) -> None:
        """A number that must agree with one of several equally true readings."""
        self.equal(name, subject, claimed, closest(claimed, readings, tolerance), tolerance)

    def at_least(self, name: str, subject: str, bound: float, recomputed: float, tolerance: float) -> None:
        """A recomputed number that must reach the `bound` that was claimed."""
        self._add(name, subject, bound, recomputed, tolerance, recomputed >= bound - tolerance)

    def at_most(self, name: str, subject: str, bound: float, recomputed: float, tolerance: float) -> None:
        """A recomputed number that must not exceed the `bound` that was claimed."""
        self._add(name, subject, bound, recomputed, tolerance, recomputed <= bound + tolerance)

    def same(self, name: str, subject: str, claimed: str, recomputed: str) -> None:
        """A text that must be the same."""
        self._add(name, subject, claimed, recomputed, 0.0, claimed == recomputed)

    def holds(self, name: str, subject: str, claimed: str, recomputed: str, passed: bool) -> None:
        """A statement in words, found to hold or not."""
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
    """JSON has no infinity and no NaN: they become text."""
    if isinstance(value, str):
        return value
    return float(value) if isfinite(value) else repr(float(value))

"""Wording of what a search proves, with its radius and its limits."""

from math import ceil, log10

from planner.records.search import Proof, SearchReport
from planner.records.wording.lung import least_claim

MOST_DECIMALS = 9
"""A millionth of a micrometre: below the float64 rounding of any place in a patient."""


def claims_of(search: SearchReport, missing: tuple[str, ...]) -> tuple[str, ...]:
    """What a search proves for an input that lacks `missing`, and what the slack of surfaces leaves open."""
    return (*_proved(search, missing), *_of_masks(search.surface_slack_mm))


def _proved(search: SearchReport, missing: tuple[str, ...]) -> tuple[str, ...]:
    radius = radius_text(search.covering_radius_mm)
    displaced = f"all displacements up to {radius} between tip and skin"
    match search.proves:
        case Proof.NOTHING:
            return (
                f"Unproved: the search ended early, with every line within {radius} of a tested line or "
                "shown not to be safe. Paths narrower than that may have been missed.",
            )
        case Proof.NONE_IS_SAFE:
            return ("No path through the target is safe.",)
        case Proof.NONE_STAYS_SAFE:
            return (f"No path through the target stays safe under {displaced}.",)
        case Proof.SAFE_LINE_NEAR_EACH:
            return (
                f"Every path that stays safe under {displaced} has a safe tested line within that distance.",
                least_claim(displaced, missing),
            )


def _of_masks(slack_mm: float) -> tuple[str, ...]:
    if slack_mm == 0.0:
        return ()
    return (
        "This holds for the voxels that the surfaces touch, which reach at most "
        f"{slack_mm:.2f} mm beyond them.",
    )


def radius_text(radius_mm: float) -> str:
    """A covering radius in mm, to two decimals or two digits. Rounded up: a claim with a larger radius is
    weaker."""
    if radius_mm <= 0.0:
        return f"{radius_mm:g} mm"
    decimals = min(MOST_DECIMALS, max(2, 1 - int(log10(radius_mm) // 1)))
    return f"{ceil(radius_mm * 10**decimals - 1e-6) / 10**decimals:.{decimals}f} mm"

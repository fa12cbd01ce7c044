"""Time left: an estimate from the pace so far. The planner itself reads no clock."""

LEAST_S = 2.0
"""Before this time there is no estimate [U]."""

LEAST_FRACTION = 0.03
"""Below this fraction there is no estimate [U]."""

MOMENT_S, STEP_S, MINUTES_FROM_S = 5.0, 5.0, 120.0
"""Less than the first is called a moment; seconds are rounded to the second; from the third on, minutes are
given [U]."""


def time_left_s(elapsed_s: float, fraction: float) -> float | None:
    """The estimated seconds left of work that took `elapsed_s` for `fraction`, 0.0 to 1.0; None if too little
    is done."""
    if elapsed_s < LEAST_S or fraction < LEAST_FRACTION:
        return None
    return elapsed_s * (1.0 - fraction) / fraction


def spoken_left(left_s: float) -> str:
    """Seconds left in words, as roughly as they are known."""
    if left_s < MOMENT_S:
        return "a moment left"
    if left_s < MINUTES_FROM_S:
        return f"about {STEP_S * round(left_s / STEP_S):.0f} s left"
    return f"about {int(left_s / 60.0 + 0.5)} min left"

"""Time left: what the rest of a work takes at the pace so far. The planner reads no clock: told here."""

LEAST_S = 2.0
"""Of work that began less than so long ago no pace is known [U]."""

LEAST_FRACTION = 0.03
"""Nor of work of which less is done [U]."""

MOMENT_S, STEP_S, MINUTES_FROM_S = 5.0, 5.0, 120.0
"""Less is a moment; seconds are said in steps; more is said in minutes [U]."""


def time_left_s(elapsed_s: float, fraction: float) -> float | None:
    """The seconds left of work that has taken `elapsed_s` for a fraction of it, 0.0 to 1.0; None where too
    little of it is done."""
    if elapsed_s < LEAST_S or fraction < LEAST_FRACTION:
        return None
    return elapsed_s * (1.0 - fraction) / fraction


def spoken_left(left_s: float) -> str:
    """Seconds left in words, as coarsely as they are known."""
    if left_s < MOMENT_S:
        return "a moment left"
    if left_s < MINUTES_FROM_S:
        return f"about {STEP_S * round(left_s / STEP_S):.0f} s left"
    return f"about {int(left_s / 60.0 + 0.5)} min left"

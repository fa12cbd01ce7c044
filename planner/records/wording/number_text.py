"""Numbers as text: rounded, but a number above zero is never shown as zero."""

from math import floor

PERCENT_ROUNDING = 1e-9
"""Rounding of a share in float64 that is a whole per cent."""
MOST_DECIMALS = 15
"""The most decimals that are significant in a float64 of a few hundred."""


def tenths(length_mm: float, less: str = "<") -> str:
    """A length to a tenth of a millimetre."""
    return f"{less} 0.1" if 0.0 < length_mm < 0.05 else f"{length_mm:.1f}"


def mm_text(length_mm: float) -> str:
    """A length for a sentence, with its unit."""
    return f"{tenths(length_mm, 'less than')} mm"


def share_text(share: float) -> str:
    """A share in whole per cent."""
    return "< 1 %" if 0.0 < share < 0.005 else f"{100 * share:.0f} %"


def sure_percent(share: float) -> int:
    """A share in whole per cent, rounded down, so that it does not look larger than it is."""
    return floor(100.0 * share + PERCENT_ROUNDING)


def decimals_apart(one: float, other: float, least: int) -> int:
    """Decimals, at least `least`, that show which of two numbers is larger: rounding must not show a missed
    goal as reached."""
    enough = (
        n
        for n in range(least, MOST_DECIMALS)
        if (round(one, n) < round(other, n)) == (one < other)
        and (round(one, n) > round(other, n)) == (one > other)
    )
    return next(enough, MOST_DECIMALS)


def apart(one: float, other: float, least: int) -> tuple[str, str]:
    """Both numbers, with the decimals that distinguish them."""
    decimals = decimals_apart(one, other, least)
    return f"{one:.{decimals}f}", f"{other:.{decimals}f}"


def sentence(clause: str) -> str:
    """A clause as a sentence of its own: its first letter becomes a capital, also in a name."""
    return f"{clause[:1].upper()}{clause[1:]}."


def counted(number: int, what: str, several: str | None = None) -> str:
    """A number of things: "1 seed", "2 seeds", "3 entries"."""
    return f"{number} {what if number == 1 else several or what + 's'}"

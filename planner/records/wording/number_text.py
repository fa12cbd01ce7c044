"""Numbers as text: rounded, and what is more than nothing is never said to be nothing."""

from math import floor

PERCENT_ROUNDING = 1e-9
"""What float64 leaves of a share that is a whole per cent."""
MOST_DECIMALS = 15
"""Decimals that a float64 of a few hundred has to tell."""


def tenths(length_mm: float, less: str = "<") -> str:
    """A length to a tenth of a millimetre."""
    return f"{less} 0.1" if 0.0 < length_mm < 0.05 else f"{length_mm:.1f}"


def mm_text(length_mm: float) -> str:
    """The same in a sentence, with its unit."""
    return f"{tenths(length_mm, 'less than')} mm"


def share_text(share: float) -> str:
    """A share in whole per cent."""
    return "< 1 %" if 0.0 < share < 0.005 else f"{100 * share:.0f} %"


def sure_percent(share: float) -> int:
    """A share in whole per cent, rounded down: nothing is said to be reached more often than it was."""
    return floor(100.0 * share + PERCENT_ROUNDING)


def decimals_apart(one: float, other: float, least: int) -> int:
    """How many decimals, at least `least`, show which of two numbers is the larger: rounding must not print a
    goal that was missed as reached."""
    enough = (
        n
        for n in range(least, MOST_DECIMALS)
        if (round(one, n) < round(other, n)) == (one < other)
        and (round(one, n) > round(other, n)) == (one > other)
    )
    return next(enough, MOST_DECIMALS)


def apart(one: float, other: float, least: int) -> tuple[str, str]:
    """Both numbers to so many decimals."""
    decimals = decimals_apart(one, other, least)
    return f"{one:.{decimals}f}", f"{other:.{decimals}f}"


def sentence(clause: str) -> str:
    """A clause as a sentence of its own. A name in small letters at its beginning gets a capital, too."""
    return f"{clause[:1].upper()}{clause[1:]}."


def counted(number: int, what: str, several: str | None = None) -> str:
    """So many of something: "1 seed", "2 seeds", "3 entries"."""
    return f"{number} {what if number == 1 else several or what + 's'}"

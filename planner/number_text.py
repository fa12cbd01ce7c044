"""Numbers as text: rounded, and what is more than nothing is never said to be nothing."""


def tenths(length_mm: float, less: str = "<") -> str:
    """A length to a tenth of a millimetre."""
    return f"{less} 0.1" if 0.0 < length_mm < 0.05 else f"{length_mm:.1f}"


def mm_text(length_mm: float) -> str:
    """The same in a sentence, with its unit."""
    return f"{tenths(length_mm, 'less than')} mm"


def share_text(share: float) -> str:
    """A share in whole per cent."""
    return "< 1 %" if 0.0 < share < 0.005 else f"{100 * share:.0f} %"

"""Suggestions: which known names a name that is not known may have meant."""

import difflib
from collections.abc import Sequence

MAX_LISTED = 40
"""Known names listed in one message: all fields and roles, but not all of two thousand structures."""

_CLOSE, _LIKENESS = 3, 0.65
"""Up to so many suggestions, each so like what was given: "heart" is no suggestion for "aorta"."""


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A sentence or two: the known names most like `name`, if any are, and the known names.

    Case is let be: "Aorta" is near to "aorta".
    """
    folded: dict[str, str] = {}
    for k in known:
        folded.setdefault(k.lower(), k)
    # Likeness is twice what two names share, as a part of both lengths: so much longer than every known name
    # it is like none, and comparing a megabyte takes long.
    comparable = len(name) <= max(map(len, known), default=0) * (2.0 / _LIKENESS - 1.0)
    asked = list(folded) if comparable else []
    close = [folded[f] for f in difflib.get_close_matches(name.lower(), asked, _CLOSE, _LIKENESS)]
    hint = f"Did you mean {_either(close)}? " if close else ""
    listed = ", ".join(known[:MAX_LISTED])
    more = f", and {len(known) - MAX_LISTED} more" if len(known) > MAX_LISTED else ""
    return f"{hint}Known: {listed}{more}."


def _either(names: Sequence[str]) -> str:
    quoted = [repr(n) for n in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)

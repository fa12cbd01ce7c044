"""Suggestions: the known names that are most similar to an unknown name."""

import difflib
from collections.abc import Sequence

MAX_LISTED = 40
"""Known names listed in one message: enough for all fields and roles, but not for two thousand structures."""

_CLOSE, _LIKENESS = 3, 0.65
"""Largest number of suggestions, and the least similarity of each (difflib ratio): "heart" is not suggested
for "aorta"."""


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """One or two sentences: the known names most similar to `name`, if there are any, and a list of known
    names.

    Upper and lower case count as equal: "Aorta" is similar to "aorta".
    """
    folded: dict[str, str] = {}
    for k in known:
        folded.setdefault(k.lower(), k)
    # The ratio is twice the number of shared characters over the sum of both lengths: a name much longer than
    # every known name is similar to none, and comparing a megabyte would take long.
    comparable = len(name) <= max(map(len, known), default=0) * (2.0 / _LIKENESS - 1.0)
    candidates = list(folded) if comparable else []
    close = [folded[f] for f in difflib.get_close_matches(name.lower(), candidates, _CLOSE, _LIKENESS)]
    hint = f"Did you mean {_either(close)}? " if close else ""
    listed = ", ".join(known[:MAX_LISTED])
    more = f", and {len(known) - MAX_LISTED} more" if len(known) > MAX_LISTED else ""
    return f"{hint}Known: {listed}{more}."


def _either(names: Sequence[str]) -> str:
    quoted = [repr(n) for n in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)

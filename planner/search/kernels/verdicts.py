"""Verdicts: the result of testing one line, as small integers for compiled loops."""

SAFE = 0
MISSES_TARGET = 1
BLOCKED = 2
TOO_LONG = 3
CUT_EDGE = 4
RE_ENTERS = 5
TABLE = 6
BORE = 7
HUB_BLOCKED = 8
TIP_OUTSIDE = 9

VERDICTS = (
    *(SAFE, MISSES_TARGET, BLOCKED, TOO_LONG, CUT_EDGE),
    *(RE_ENTERS, TABLE, BORE, HUB_BLOCKED, TIP_OUTSIDE),
)
"""All verdicts."""

"""What can be said of one line, as small integers for compiled loops, with a sentence each."""

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

SENTENCES = (
    "safe",
    "misses the target, or runs in it too short a way",
    "comes too near a structure",
    "the skin lies deeper than the needle is long",
    "leaves the body at the cut edge of the field of view",
    "enters the body a second time",
    "meets the table",
    "the hub reaches the bore's wall",
    "the hub comes too near a structure",
    "the tip lies outside the body",
)

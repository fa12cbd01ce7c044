"""Colours that remain apart for people with any common colour blindness.

The eight are those of Okabe and Ito's palette (https://jfly.uni-koeln.de/color/). Every meaning that a
colour carries is also carried by a letter, a line style or a shape.
"""

from typing import Literal

from anatomy.structures import Role

ORANGE, SKY_BLUE, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE, BLACK = "#0072B2", "#D55E00", "#CC79A7", "#000000"
GREY = "#8C8C8C"

OF_ROLE: dict[Role, str] = {
    Role.TARGET: GREEN,
    Role.FORBIDDEN: VERMILION,
    Role.LUNG: SKY_BLUE,
    Role.PASSABLE: ORANGE,
    Role.OUTSIDE: PURPLE,
    Role.SKIN: GREY,
}
LineStyle = Literal["solid", "dashed", "dotted", "dashdot"]
STYLE_OF_ROLE: dict[Role, LineStyle] = {
    Role.TARGET: "solid",
    Role.FORBIDDEN: "solid",
    Role.LUNG: "dashed",
    Role.PASSABLE: "dotted",
    Role.OUTSIDE: "dashdot",
    Role.SKIN: "solid",
}
NEEDLE = YELLOW
SEED = BLUE
NO_LUNG = VERMILION
"""On the access map: entries whose best path crosses no lung, a class of their own."""

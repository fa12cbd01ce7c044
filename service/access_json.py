"""Access JSON: where on the skin safe paths enter, as the service answers it. Equal maps give equal bytes."""

from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, Field

from planner.access import SQUARE_MM, SkinAccess

DECIMALS = 3
"""Of millimetres: more than any needle is steered by."""


Triple = Annotated[list[float], Field(min_length=3, max_length=3)]
"""Coordinates. Readers of schemas take lists of these better than lists of tuples."""


class SkinAccessModel(BaseModel):
    """Entries of safe paths, the best of each box of skin, and the least lung that a path from there crosses.

    `entry_mm` is in patient LPS; `lung_length_mm` has one number for each entry. The search found these lines
    safe; only the plan's own paths were verified by a second route.
    """

    plan: str
    frame: Literal["LPS"]
    square_mm: float
    entry_mm: list[Triple]
    lung_length_mm: list[float]


def write_access(plan_id: str, access: SkinAccess) -> bytes:
    """The map of a plan as UTF-8 JSON."""
    found = {
        "plan": plan_id,
        "frame": "LPS",
        "square_mm": SQUARE_MM,
        # Adding zero turns -0.0 into 0.0: one number, one text.
        "entry_mm": (access.entry_mm.round(DECIMALS) + 0.0).tolist(),
        "lung_length_mm": (access.lung_length_mm.round(DECIMALS) + 0.0).tolist(),
    }
    return orjson.dumps(found)

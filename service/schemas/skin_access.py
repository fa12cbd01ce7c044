"""Access JSON: the skin access map, as the service answers it. Equal maps give equal bytes.

`map_sha256` is the sha256 of the same text without its line. Maps of earlier versions have none.
"""

from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, Field, ValidationError

from planner.paths.skin_access import SQUARE_MM
from planner.records.plan import SkinAccess
from service.schemas.json.sealed import seal_of, sealed
from service.schemas.plan.fields import Sha256

DECIMALS = 3
"""Decimals of millimetres: more precise than a needle can be positioned."""


MAX_MAP_BYTES = 100_000_000
"""Larger than a map with a million places [U]."""

_SEAL, _HEAD = "map_sha256", 200
"""The name of the hash, and the number of bytes within which the plan follows it."""

Triple = Annotated[list[float], Field(min_length=3, max_length=3)]
"""Coordinates. Readers of schemas handle lists of these better than lists of tuples."""


class SkinAccessModel(BaseModel):
    """Entries of safe paths, the best of each box of skin, and the least lung that a path from there crosses.

    `entry_mm` is in patient LPS; `lung_length_mm` has one number for each entry. The search found these lines
    safe; only the plan's own paths were verified by a second method. `map_sha256` is the sha256 of the same
    text without the line that holds it; maps of earlier versions have none.
    """

    map_sha256: Sha256 | None = None
    plan: str
    frame: Literal["LPS"]
    square_mm: float
    entry_mm: list[Triple]
    lung_length_mm: list[float]


def write_access(plan_id: str, access: SkinAccess) -> bytes:
    """The map of a plan as UTF-8 JSON."""
    document = {
        "plan": plan_id,
        "frame": "LPS",
        "square_mm": SQUARE_MM,
        # Adding zero turns -0.0 into 0.0: one number, one text.
        "entry_mm": (access.entry_mm.round(DECIMALS) + 0.0).tolist(),
        "lung_length_mm": (access.lung_length_mm.round(DECIMALS) + 0.0).tolist(),
    }
    return sealed(_SEAL, orjson.dumps(document))


def is_sealed(text: bytes) -> bool:
    """Whether the text of a map states its own sha256."""
    return seal_of(_SEAL, text) is not None


def is_map_of(plan_id: str, text: bytes) -> bool:
    """Whether a text is, byte for byte, the map of that plan. For a map of an earlier version, which has no
    hash, only that it can be read is checked."""
    if text.startswith(b'{"plan":'):
        return _can_be_read(plan_id, text)
    return is_sealed(text) and f'"plan":"{plan_id}",'.encode() in text[:_HEAD]


def _can_be_read(plan_id: str, text: bytes) -> bool:
    try:
        return SkinAccessModel.model_validate_json(text, strict=True).plan == plan_id
    except ValidationError:
        return False

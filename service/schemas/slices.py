"""Slice schema: the request for slices, as strict JSON, and the answer for each slice."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from planner.records.request.given import GivenPoint
from service.schemas.json.strict import Strict
from service.schemas.request.model import PlanRequest
from service.schemas.request.seeds_and_needles import refuse_no_direction

MAX_SLICES_BYTES = 100_000
"""Larger than two points and a request."""

MOST_PIXELS = 512
"""Most pixels along a side of a slice: two slices of 8 bytes a pixel, in base64, stay below 6 MB for every
needle."""


class SlicesBody(Strict):
    """The two slices that hold a needle from `entry_mm` to `tip_mm`, out to `half_mm` from its middle.

    Of `request`, only target, roles and pose are used: they define what each structure is. `plan` names a
    plan whose dose is added to the slices.
    """

    entry_mm: GivenPoint
    tip_mm: GivenPoint
    half_mm: Annotated[float, Field(ge=5.0, le=400.0, description="mm from the needle's middle")] = 100.0
    pixel_mm: Annotated[float, Field(ge=0.25, le=10.0, description="mm; side of a pixel")] = 1.0
    request: PlanRequest = PlanRequest()
    plan: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _can_be_cut(self) -> "SlicesBody":
        refuse_no_direction(self.entry_mm, self.tip_mm)
        if 2.0 * self.half_mm / self.pixel_mm > MOST_PIXELS:
            raise ValueError(
                f"{2.0 * self.half_mm / self.pixel_mm:.0f} pixels along a side are more than {MOST_PIXELS}. "
                "Take larger pixels, or a smaller half."
            )
        return self


class SliceModel(BaseModel):
    """A square slice, laid out as radiologists read it. Pixels run row by row from the top left.

    The centre of pixel (row, column) is `first_mm` + `pixel_mm` (column `right` + row `down`), in patient
    LPS. `labels` (uint16) are 0 outside all structures, n for number n of `structures`, counted from 1, and
    65535 beyond the field of view, which is unknown. If several structures overlap, the label is that of the
    most important one: target, forbidden, lung, passable, outside, body. Values between voxels are not
    interpolated. `ct_hu` (int16, -32768 beyond the field of view) is null if there is no CT, and `dose_gy`
    (float32) if no plan was named. All are base64 of little-endian numbers.
    """

    name: Literal["nearest_axial", "across"]
    first_mm: tuple[float, float, float]
    right: tuple[float, float, float]
    down: tuple[float, float, float]
    pixel_mm: float
    rows: int
    columns: int
    edges: dict[Literal["right", "left", "top", "bottom"], str]
    labels: str
    ct_hu: str | None
    dose_gy: str | None


class ShownModel(BaseModel):
    """A structure on slices, and its role under the request; `body` is everything inside the skin."""

    structure: str
    role: str


class SlicesModel(BaseModel):
    """The slice nearest to axial that holds the needle, and the one across it."""

    structures: list[ShownModel]
    slices: list[SliceModel]

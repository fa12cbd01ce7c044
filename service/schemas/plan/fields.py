"""Plan fields: what the models of a plan's JSON are made of."""

from typing import Annotated

from pydantic import Field, StringConstraints

PointMm = tuple[float, float, float]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Length = Annotated[float, Field(ge=0)]
Gy = Annotated[float, Field(ge=0)]
Percent = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]

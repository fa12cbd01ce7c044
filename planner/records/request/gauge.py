"""Gauge: how thick the tube of a needle of a gauge is outside."""

OUTSIDE_MM: dict[str, tuple[float, float]] = {
    "10G": (3.300, 3.500),
    "11G": (2.950, 3.150),
    "12G": (2.650, 2.850),
    "13G": (2.300, 2.500),
    "14G": (1.950, 2.150),
    "15G": (1.750, 1.900),
    "16G": (1.600, 1.690),
    "17G": (1.400, 1.510),
    "18G": (1.200, 1.300),
    "19G": (1.030, 1.100),
    "20G": (0.860, 0.920),
    "21G": (0.800, 0.830),
    "22G": (0.698, 0.730),
    "23G": (0.600, 0.673),
    "24G": (0.550, 0.580),
    "25G": (0.500, 0.530),
}
"""Least and most outer diameter by gauge (ISO 9626:2016, table of tubing dimensions). [mm]"""


def gauge_of(diameter_mm: float) -> str | None:
    """The gauge of a needle of that outer diameter [mm]; None where there is none."""
    return next((g for g, (least, most) in OUTSIDE_MM.items() if least <= diameter_mm <= most), None)

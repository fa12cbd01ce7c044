"""IsoAid IAI-125A, I-125: tables of AAPM TG-43U1S1 (Rivard 2007, 10.1118/1.2736790).

ln g falls by 0.16 from 8 to 9 cm and by 0.45 from 9 to 10 cm, so that the tail beyond 10 cm is steeper than
that of other I-125 seeds (0.30 to 0.34 per cm). Both as transcribed.
"""

from planner.sources.source import Anisotropy, RadialDose, Source

# fmt: off
RADIAL = RadialDose(
    r_cm=(0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0),
    g=(
        1.04, 1.053, 1.066, 1.08, 1.035, 1.0, 0.902, 0.8, 0.611, 0.468, 0.368, 0.294, 0.227, 0.165, 0.141,
        0.09,
    ),
)

ANISOTROPY = Anisotropy(
    r_cm=(0.5, 1.0, 2.0, 3.0, 5.0, 7.0),
    theta_deg=(0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0),
    F=(
        (0.352, 0.411, 0.481, 0.699, 0.848, 0.948, 1.002, 1.029, 1.029, 0.999, 1.000),  # 0.5 cm
        (0.406, 0.465, 0.527, 0.719, 0.846, 0.936, 0.986, 1.024, 1.039, 1.025, 1.000),  # 1.0 cm
        (0.493, 0.545, 0.601, 0.757, 0.862, 0.932, 0.974, 1.008, 1.027, 1.024, 1.000),  # 2.0 cm
        (0.520, 0.584, 0.642, 0.775, 0.862, 0.916, 0.961, 0.993, 1.006, 1.023, 1.000),  # 3.0 cm
        (0.578, 0.658, 0.704, 0.794, 0.869, 0.937, 0.963, 0.990, 1.016, 1.009, 1.000),  # 5.0 cm
        (0.612, 0.701, 0.726, 0.799, 0.879, 0.969, 0.971, 1.001, 1.010, 1.025, 1.000),  # 7.0 cm
    ),
)
# fmt: on

ISOAID_IAI125A = Source(
    name="isoaid_iai125a",
    label="IsoAid IAI-125A",
    nuclide="I-125",
    half_life_d=59.4,
    dose_rate_constant_cgy_per_h_u=0.981,
    active_length_cm=0.3,
    radial=RADIAL,
    anisotropy=ANISOTROPY,
    reference="AAPM TG-43U1S1 (Rivard 2007, 10.1118/1.2736790)",
    status="two independent transcriptions agree; not read against the printed report",
)

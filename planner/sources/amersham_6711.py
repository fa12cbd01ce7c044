"""Amersham 6711, I-125: tables of AAPM TG-43U1 (Rivard 2004, 10.1118/1.1646040).

g at 4 cm, 0.496, is some 2 % above the trend of later Monte Carlo. Every transcription has this value, so it
is kept.
"""

from planner.sources.source import Anisotropy, Anisotropy1D, RadialDose, Source

# fmt: off
RADIAL = RadialDose(
    r_cm=(0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0),
    g=(
        1.055, 1.078, 1.082, 1.071, 1.042, 1.0, 0.908, 0.814, 0.632, 0.496, 0.364, 0.27, 0.199, 0.148,
        0.109, 0.0803,
    ),
)

ANISOTROPY = Anisotropy(
    r_cm=(0.5, 1.0, 2.0, 3.0, 4.0, 5.0),
    theta_deg=(0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0),
    F=(
        (0.333, 0.400, 0.519, 0.716, 0.846, 0.926, 0.972, 0.991, 0.996, 1.000, 1.000),  # 0.5 cm
        (0.370, 0.429, 0.537, 0.705, 0.834, 0.925, 0.972, 0.991, 0.996, 1.000, 1.000),  # 1.0 cm
        (0.442, 0.497, 0.580, 0.727, 0.842, 0.926, 0.970, 0.987, 0.996, 1.000, 1.000),  # 2.0 cm
        (0.488, 0.535, 0.609, 0.743, 0.846, 0.926, 0.969, 0.987, 0.995, 0.999, 1.000),  # 3.0 cm
        (0.520, 0.561, 0.630, 0.752, 0.848, 0.928, 0.969, 0.987, 0.995, 0.999, 1.000),  # 4.0 cm
        (0.550, 0.587, 0.645, 0.760, 0.852, 0.928, 0.969, 0.987, 0.995, 0.999, 1.000),  # 5.0 cm
    ),
)

PHI_AN = Anisotropy1D(
    r_cm=(0.5, 1.0, 2.0, 3.0, 4.0, 5.0),
    phi=(0.973, 0.944, 0.941, 0.942, 0.943, 0.944),
)
# fmt: on

AMERSHAM_6711 = Source(
    name="amersham_6711",
    label="Amersham 6711",
    nuclide="I-125",
    half_life_d=59.4,
    dose_rate_constant_cgy_per_h_u=0.965,
    active_length_cm=0.3,
    radial=RADIAL,
    anisotropy=ANISOTROPY,
    phi_an=PHI_AN,
    reference="AAPM TG-43U1 (Rivard 2004, 10.1118/1.1646040)",
    status="two independent transcriptions agree; not read against the printed report",
)

"""Best 2301, I-125: tables of AAPM TG-43U1 (Rivard 2004, 10.1118/1.1646040).

F is not monotonic near the axis, and begins at 1 cm: at smaller distances F at 1 cm is used. Capsule: 5.0 mm
long, that of the Best 2335 (CLRP database, physics.carleton.ca/clrp, 10.1002/mp.14249).
"""

from planner.sources.source import Anisotropy, RadialDose, Source

# fmt: off
RADIAL = RadialDose(
    r_cm=(0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0),
    g=(
        1.033, 1.029, 1.027, 1.028, 1.03, 1.0, 0.938, 0.866, 0.707, 0.555, 0.427, 0.32, 0.248, 0.187, 0.142,
        0.103,
    ),
)

ANISOTROPY = Anisotropy(
    r_cm=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0),
    theta_deg=(0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0),
    F=(
        (0.367, 0.724, 0.653, 0.785, 0.900, 0.982, 1.014, 1.030, 1.036, 1.010, 1.000),  # 1.0 cm
        (0.454, 0.720, 0.671, 0.794, 0.890, 0.954, 0.992, 1.010, 1.026, 1.030, 1.000),  # 2.0 cm
        (0.922, 0.726, 0.699, 0.809, 0.885, 0.947, 0.985, 1.009, 1.016, 1.019, 1.000),  # 3.0 cm
        (0.902, 0.738, 0.727, 0.814, 0.892, 0.939, 0.991, 1.007, 1.023, 1.017, 1.000),  # 4.0 cm
        (0.894, 0.753, 0.732, 0.825, 0.899, 0.943, 0.997, 1.010, 1.011, 1.010, 1.000),  # 5.0 cm
        (0.893, 0.771, 0.764, 0.852, 0.915, 0.976, 0.989, 1.019, 1.035, 1.020, 1.000),  # 6.0 cm
        (0.858, 0.800, 0.782, 0.821, 0.873, 0.937, 0.961, 1.002, 1.010, 1.005, 1.000),  # 7.0 cm
    ),
)
# fmt: on

BEST_2301 = Source(
    name="best_2301",
    label="Best 2301",
    nuclide="I-125",
    half_life_d=59.4,
    dose_rate_constant_cgy_per_h_u=1.018,
    active_length_cm=0.4,
    radial=RADIAL,
    anisotropy=ANISOTROPY,
    seed_length_mm=5.0,
    reference="AAPM TG-43U1 (Rivard 2004, 10.1118/1.1646040)",
    status="one transcription; not read against the printed report",
)

"""The picture of a plan's dose-volume histogram: PTV, GTV and the organs with the most dose."""

from matplotlib.figure import Figure

from planner.records.dose import DoseReport, DvhCurve, hottest_gy
from planner.records.plan import Plan
from service.pictures.outlines import spoken
from service.pictures.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY_BLUE, VERMILION, LineStyle

ORGANS_DRAWN = 8
"""Organs with the most dose: more lines than that cannot be told apart."""
SHOWN_TO = 3.0
"""The dose axis ends at this part of the prescription [U]."""
COLOURS = (VERMILION, BLUE, ORANGE, PURPLE, SKY_BLUE, BLACK)
STYLES: tuple[LineStyle, ...] = ("solid", "dashed", "dashdot", "dotted")
TREATED = ("PTV", "GTV")


def dvh_figure(plan: Plan) -> Figure:
    """One set of axes, with the legend beside it and what the dose is of below."""
    dose = plan.dose
    assert dose is not None, "a plan without a dose has no histogram"
    figure = Figure(figsize=(9.6, 5.6), dpi=200, layout="constrained")
    axes = figure.subplots()
    for curve in dose.dvh:
        if curve.structure in TREATED:
            bold = curve.structure == "PTV"
            axes.plot(
                curve.dose_gy,
                curve.volume_percent,
                color=GREEN,
                linestyle="solid" if bold else "dashed",
                linewidth=3.2 if bold else 1.8,
                label=curve.structure,
                zorder=4,
            )
    for n, curve in enumerate(hottest_curves(dose)):
        axes.plot(
            curve.dose_gy,
            curve.volume_percent,
            color=COLOURS[n % len(COLOURS)],
            linestyle=STYLES[n % len(STYLES)],
            linewidth=1.4,
            label=spoken(curve.structure),
        )
    axes.axvline(dose.prescribed_gy, color=GREY, linewidth=1.2, zorder=1)
    axes.annotate(
        f"prescribed {dose.prescribed_gy:g} Gy",
        (dose.prescribed_gy, 101.0),
        xycoords="data",
        fontsize=8.5,
        color="#505050",
        ha="center",
        va="bottom",
        annotation_clip=False,
    )
    axes.set(xlim=(0.0, SHOWN_TO * dose.prescribed_gy), ylim=(0.0, 100.0))
    axes.set_xlabel(f"dose [Gy] ({dose.medium})")
    axes.set_ylabel("volume that gets this dose or more [%]")
    axes.grid(color="#E0E0E0", linewidth=0.6)
    axes.set_axisbelow(True)
    figure.suptitle(_title(dose), fontsize=11)
    figure.legend(loc="outside right center", frameon=False, fontsize=9, handlelength=3.2)
    return figure


def hottest_curves(dose: DoseReport) -> list[DvhCurve]:
    """Curves of the organs with the most dose, the hottest first."""
    hottest = {organ.structure: hottest_gy(organ) for organ in dose.organs}
    curves = [curve for curve in dose.dvh if curve.structure not in TREATED]
    curves.sort(key=lambda c: (-hottest.get(c.structure, 0.0), c.structure))
    return curves[:ORGANS_DRAWN]


def _title(dose: DoseReport) -> str:
    target = dose.target
    return (
        f"PTV {target.volume_cc:.1f} cc: D90 {target.d90_gy:.1f} Gy, V100 {target.v100_percent:.1f} %, "
        f"V150 {target.v150_percent:.1f} %, V200 {target.v200_percent:.1f} %"
    )

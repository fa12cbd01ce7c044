"""A plan with a needle set, a dose and robustness, and its evaluation and replanning. The numbers are
invented, to test how they are written, shown and stored."""

from dataclasses import replace

from bare_plans import BARE_PATH, BARE_PLAN

from planner.records.dose import (
    MEDIUM,
    BedReport,
    DoseReport,
    DvhCurve,
    GoalResult,
    OrganDose,
    PointDose,
    PointKind,
    TargetDose,
    VolumeDose,
)
from planner.records.followup import (
    EVALUATION_SCHEMA,
    REPLAN_SCHEMA,
    Achieved,
    Changes,
    ColdSpot,
    Evaluation,
    NeedleChange,
    Replanned,
)
from planner.records.needle_set import NeedleParts, NeedleSet, PlacedSeed, TooNear
from planner.records.organ_limits import Doubt, LimitComparison, LimitKind
from planner.records.paths import Aim, Path, SeedDrop, Window, WindowPlace
from planner.records.plan import Outcome, Plan, Status
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import Prescription
from planner.records.request.request import Request
from planner.records.request.target import TargetRequest
from planner.records.robustness import NeedleRisk, Robustness, Spread, Touch
from planner.records.search import Proof, SearchReport
from planner.records.verification import Check, Verification

ASKED = Request(target=TargetRequest(("node",)), prescription=Prescription())
TARGET = TargetDose(12.3, 146.25, 98.5, 96.0, 62.5, 31.0, 0.71, 0.29, 0.35)
GTV = VolumeDose(5.1, 171.0, 120.5, 100.0, 80.0, 44.0)

ENTRY, TIP = (80.0, 12.0, 60.0), (80.0, 68.0, 60.0)
"""The needle of these plans runs straight back through the middle of `small_chests`' node."""

VERIFIED = Verification(True, (Check("a claim", "plan", "held", "held", 0.0, True),), ())


def a_path(id: str, aim: Aim, *, lung_mm: float = 0.0, shift_mm: float = 0.0) -> Path:
    drop = SeedDrop((80.0 + shift_mm, 65.75, 60.0), (0.0, 1.0, 0.0), 53.75, 0.0)
    return replace(
        BARE_PATH,
        id=id,
        window="w1" if aim is Aim.TARGET else "",
        entry_mm=(ENTRY[0] + shift_mm, *ENTRY[1:]),
        tip_mm=(TIP[0] + shift_mm, *TIP[1:]),
        length_mm=56.0,
        lung_length_mm=lung_mm,
        pleural_punctures=int(lung_mm > 0),
        clearance_mm=4.5,
        aim=aim,
        seeds=(drop,) if aim is Aim.TARGET else (),
    )


def a_needle_set() -> NeedleSet:
    axis = (0.0, 1.0, 0.0)
    return NeedleSet(
        arrangement="free",
        path_ids=("N1", "N2"),
        order=("N2", "N1"),
        conflicts_checked=1,
        tracks_considered=240,
        cover_radius_mm=7.5,
        reachable_percent=88.0,
        lung_length_mm=12.5,
        pleural_punctures=1,
        objective=22.75,
        bound=20.0,
        gap=0.12,
        seeds=(
            PlacedSeed("N1", (80.0, 65.75, 60.0), axis, 53.75, 0.0),
            PlacedSeed("N1", (80.0, 55.75, 60.0), axis, 43.75, 10.0),
            PlacedSeed("N2", (88.0, 60.0, 60.0), axis, 48.0, 0.0),
            PlacedSeed(None, (72.0, 60.0, 60.0), None, None, None),
        ),
        seeds_bound=3,
        seeds_gap=0.25,
        v100_reachable=True,
        time_ended=False,
        given_too_near=(
            # Not in the order in which they are reported.
            TooNear("N1", None, "N2", NeedleParts.HUB_AND_SHAFT, -0.5, 0.0),
            TooNear("N1", "aorta", None, NeedleParts.NEEDLE, 0.75, 2.0),
        ),
        given_seed_pairs_near=1,
        claims=("No set of the 240 tracks that covers as much costs less than 20.0 mm.",),
    )


def a_dose() -> DoseReport:
    """Two of its limits are exceeded: the first barely, the second by more."""
    return DoseReport(
        medium=MEDIUM,
        source="amersham_6711",
        air_kerma_strength_u=0.762,
        prescribed_gy=120.0,
        target=TARGET,
        gtv=GTV,
        organs=(
            OrganDose("heart", 600.0, 88.0, 61.5, 50.0),
            OrganDose("lung_right", 900.0, 130.0, 99.0, 70.5),
            OrganDose("vagus", 0.05, None, None, None),
            *(OrganDose(f"rib_{n}", 9.0, 8.0 - n, 3.0, 1.0) for n in range(5)),
        ),
        dvh=(
            DvhCurve("PTV", (0.0, 60.0, 120.0, 180.0, 240.0, 400.0), (100.0, 99.5, 96.0, 62.5, 31.0, 2.0)),
            DvhCurve("GTV", (0.0, 60.0, 120.0, 180.0, 240.0, 400.0), (100.0, 100.0, 100.0, 80.0, 44.0, 3.0)),
            DvhCurve("heart", (0.0, 60.0, 120.0), (100.0, 0.4, 0.0)),
            DvhCurve("lung_right", (0.0, 60.0, 120.0), (100.0, 0.6, 0.1)),
            *(DvhCurve(f"rib_{n}", (0.0, 6.0, 9.0), (100.0, 1.0, 0.0)) for n in range(9)),
        ),
        goals=(
            GoalResult("PTV", "d90_gy", True, 120.0, 146.25, True),
            GoalResult("PTV", "v200_percent", False, 30.0, 31.0, False),
            GoalResult("heart", "d0_1cc_gy", False, 90.0, 88.0, True),
        ),
        points=(PointDose(PointKind.COLDEST, "PTV", "coldest sample of the PTV", (70.0, 60.0, 60.0), 98.5),),
        bed=BedReport(
            external_target_gy=72.0,
            external_organ_gy=100.0,
            target_d90_gy=233.5,
            target_d90_eqd2_gy=194.6,
            limits=(
                LimitComparison(
                    protocol="RTOG_0813_5fx",
                    organ="Heart",
                    structure="heart",
                    limit="less than 15 cc with 32 Gy or more, in 5 fractions",
                    kind=LimitKind.VOLUME,
                    volume_cc=15.0,
                    limit_bed_gy=100.23,
                    achieved_bed_gy=100.27,
                    achieved_cc=15.5,
                    organ_cc=600.0,
                    met=False,
                    doubts=(),
                    lacking="",
                    reason="",
                ),
                LimitComparison(
                    protocol="RTOG_0813_5fx",
                    organ="SpinalCord",
                    structure="spinal_cord",
                    limit="at most 30 Gy anywhere, in 5 fractions",
                    kind=LimitKind.MAX,
                    volume_cc=None,
                    limit_bed_gy=90.0,
                    achieved_bed_gy=101.5,
                    achieved_cc=0.25,
                    organ_cc=30.0,
                    met=False,
                    doubts=(Doubt.IN_SEED,),
                    lacking="",
                    reason="It is near.",
                ),
                LimitComparison(
                    protocol="RTOG_0813_5fx",
                    organ="Oesophagus",
                    structure="oesophagus",
                    limit="less than 5 cc with 27.5 Gy or more, in 5 fractions",
                    kind=LimitKind.VOLUME,
                    volume_cc=5.0,
                    limit_bed_gy=77.9,
                    achieved_bed_gy=60.0,
                    achieved_cc=4.0,
                    organ_cc=30.0,
                    met=True,
                    doubts=(),
                    lacking="",
                    reason="",
                ),
                LimitComparison(
                    protocol="RTOG_0813_5fx",
                    organ="Heart",
                    structure="",
                    limit="105 % of the prescription",
                    kind=LimitKind.RELATIVE,
                    volume_cc=None,
                    limit_bed_gy=None,
                    achieved_bed_gy=None,
                    achieved_cc=None,
                    organ_cc=None,
                    met=None,
                    doubts=(Doubt.NO_DOSE,),
                    lacking="",
                    reason="It has no meaning here.",
                ),
            ),
        ),
    )


def a_robustness() -> Robustness:
    return Robustness(
        dose_samples=60,
        placement="template",
        samples=200,
        needles=(
            NeedleRisk("N1", 2.25, (Touch("heart", 0.12), Touch("aorta", 0.005))),
            NeedleRisk("N2", 0.75, (Touch("aorta", 0.31),)),
        ),
        d90_gy=Spread(118.0, 140.5, 152.0),
        v100_percent=Spread(88.0, 93.5, 97.0),
        goals_met_share=0.81,
    )


def implant_plan(request: Request = ASKED, status: Status = Status.PLANNED) -> Plan:
    """One ranked path that is also a needle, and one needle that is not ranked."""
    return replace(
        BARE_PLAN,
        request=request,
        roles=(("node", "target"),),
        outcome=Outcome(status, "2 needles, 4 seeds."),
        search=SearchReport(1000, 10, 5, 2.0, True, 0.0, 0.0, 0.0, Proof.SAFE_LINE_NEAR_EACH, ()),
        paths=(
            a_path("N1", Aim.TARGET, lung_mm=12.5),
            replace(a_path("N2", Aim.PTV, shift_mm=8.0), rank=1, approach="transsternal"),
        ),
        windows=(
            Window(
                "w1",
                "parasternal right",
                WindowPlace("parasternal", "right", None, None, None),
                ("N1",),
                40.0,
                12.5,
            ),
        ),
        needle_set=a_needle_set(),
        dose=a_dose(),
        robustness=a_robustness(),
        verification=VERIFIED,
    )


def an_evaluation(plan_sha256: str, found: int, supplement: Plan | None) -> Evaluation:
    spot = ColdSpot(0.42, (70.0, 60.0, 60.0), 81.5, (68.0, 60.0, 60.0))
    status = Status.GOALS_NOT_MET if supplement is not None else Status.PLANNED
    return Evaluation(
        schema=EVALUATION_SCHEMA,
        plan_sha256=plan_sha256,
        seeds=given(found),
        outcome=Outcome(status, f"{found} seeds were found."),
        planned=TARGET,
        achieved=Achieved(
            seeds_found=found,
            seeds_outside_ptv=1,
            seed_pairs_near=0,
            target=replace(TARGET, d90_gy=101.5),
            gtv=GTV,
            organs=(OrganDose("aorta", 42.0, 61.0, 40.5, None),),
            goals=(GoalResult("PTV", "d90_gy", True, 120.0, 101.5, False),),
            cold_spots=(spot,) if supplement else (),
        ),
        supplement=supplement,
        verification=VERIFIED,
    )


def a_replanning(plan_sha256: str, plan: Plan) -> Replanned:
    return Replanned(
        schema=REPLAN_SCHEMA,
        plan_sha256=plan_sha256,
        changes=Changes(
            needles=(NeedleChange("N1", "N1", 2.5, 4.25, 2, 3), NeedleChange("N2", None, None, None, 1, 0)),
            seeds_before=4,
            seeds_after=5,
            given_seeds_before=0,
            given_seeds_after=0,
            d90_before_gy=146.25,
            d90_after_gy=139.0,
            v100_before_percent=96.0,
            v100_after_percent=94.5,
            sentences=("N2 is not there any more.",),
        ),
        plan=plan,
        verification=VERIFIED,
    )


def given(seeds: int) -> tuple[GivenSeed, ...]:
    return tuple(GivenSeed((72.0, 60.0, 60.0 + n), None) for n in range(seeds))

"""A plan without content and a simple path, of which each test replaces what it needs."""

from planner import SOFTWARE
from planner.records.paths import Aim, Path
from planner.records.plan import NO_OUTCOME, SCHEMA, Plan
from planner.records.request.request import Request
from planner.records.search import Proof, SearchReport

COMPLETE = SearchReport(1000, 10, 0, 2.0, True, 0.0, None, 0.0, Proof.NONE_STAYS_SAFE, ())
"""A complete search that found no safe line."""

BARE_PLAN = Plan(
    schema=SCHEMA,
    software=SOFTWARE,
    frame="LPS",
    inputs=(),
    request=Request(),
    roles=(),
    skin_structures=("body",),
    skin_source="Skin is the surface of body.",
    missing_structures=(),
    notes=(),
    outcome=NO_OUTCOME,
    search=COMPLETE,
    paths=(),
    windows=(),
    blocked_by=(),
    nearest_miss=None,
    needle_set=None,
    dose=None,
    robustness=None,
    verification=None,
)

BARE_PATH = Path(
    id="p1",
    rank=1,
    window="w1",
    approach="parasternal",
    entry_mm=(0.0, 0.0, 0.0),
    tip_mm=(0.0, 50.0, 0.0),
    direction=(0.0, 1.0, 0.0),
    length_mm=50.0,
    lung_length_mm=0.0,
    pleural_punctures=0,
    fissures_crossed=0,
    clearance_mm=4.0,
    nearest_structure="heart",
    crosses=(),
    axial_angle_deg=0.0,
    craniocaudal_angle_deg=0.0,
    target_chord_mm=18.0,
    aim=Aim.TARGET,
    pareto=True,
    seeds=(),
)
"""Straight back, without lung."""

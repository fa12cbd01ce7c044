"""What a given needle is too near to, outside the body as well as inside it."""

from sample_implants import a_needle_set
from true_implants import given_needle, needle_paths, with_given
from true_plans import box_patient

from planner.implant.too_close import too_near
from planner.records.paths import Aim
from planner.records.wording.set_claims import set_claims
from planner.verify.claims import Claims
from planner.verify.needle.clearance import passings_of
from planner.verify.needle.examined_axis import examined_axis
from planner.verify.needle_set.needles_in_place import _structures


def test_an_arm_that_a_given_needle_crosses_is_reported_and_verified() -> None:
    """The needle runs from the node to the left, out of the body and through the arm beside it."""
    scene = box_patient().scene
    request = with_given(given_needle(scene, (56.0, 66.0, 62.0), (1.0, -0.3, 0.0)))
    (path,) = [p for p in needle_paths(scene, request, tips_B=()) if p.aim is Aim.GIVEN]
    claims = set_claims(a_needle_set(), (path,), ())
    assert any("only the shaft is checked against structures" in claim for claim in claims)
    reported = {near.structure: near for near in too_near(scene, request, [path])}
    assert reported["arm"].clearance_mm < 0.0
    assert "table" not in reported
    examined = examined_axis(Claims(), "needle", path.entry_mm, path.tip_mm, scene, request)
    assert examined is not None
    obstacles = tuple(s for s in scene.structures if s.name in ("arm", "table"))
    (passing,) = passings_of([examined], obstacles)
    recomputed = {key[1]: one for key, one in _structures(examined, path, passing, scene.surface_slack_mm)}
    assert set(recomputed) == {"arm"} and recomputed["arm"].surely

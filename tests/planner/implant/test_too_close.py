"""What a needle that is in lies too near to: what is kept free beside the body as well as in it."""

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


def test_an_arm_that_a_given_needle_runs_through_is_told_and_found_again() -> None:
    """From the node to the left, out of the body and through the arm that lies beside it."""
    scene = box_patient().scene
    request = with_given(given_needle(scene, (56.0, 66.0, 62.0), (1.0, -0.3, 0.0)))
    (path,) = [p for p in needle_paths(scene, request, tips_B=()) if p.aim is Aim.GIVEN]
    claims = set_claims(a_needle_set(), (path,), ())
    assert any("only the shaft is checked against structures" in claim for claim in claims)
    told = {near.structure: near for near in too_near(scene, request, [path])}
    assert told["arm"].clearance_mm < 0.0
    assert "table" not in told
    examined = examined_axis(Claims(), "needle", path.entry_mm, path.tip_mm, scene, request)
    assert examined is not None
    kept_free = tuple(s for s in scene.structures if s.name in ("arm", "table"))
    (passed,) = passings_of([examined], kept_free)
    found = {key[1]: one for key, one in _structures(examined, path, passed, scene.surface_slack_mm)}
    assert set(found) == {"arm"} and found["arm"].surely

"""What a scene had to assume is said in its notes."""

from honest_plans import ORGANS, patient

from anatomy.body import GUESSED_SKIN
from anatomy.scene import scene
from anatomy.structures import Role, Segmentation


def test_a_skin_that_is_guessed_is_said_to_be_a_guess() -> None:
    told = patient().scene
    guessed = patient({name: organ for name, organ in ORGANS.items() if name != "body"}).scene
    assert not any("body structure" in note for note in told.notes)
    assert guessed.skin_source == GUESSED_SKIN
    assert any("may lie centimetres inside the patient" in note for note in guessed.notes)


def test_several_targets_are_said_to_be_one() -> None:
    organs = {**ORGANS, "other": (Role.TARGET, ((20, 20, 17), (24, 24, 20)))}
    one = patient(organs).scene
    segmentation = Segmentation(one.grid, tuple(s.with_role(organs[s.name][0]) for s in one.structures), ())
    both = scene(segmentation)
    assert "node, other are treated as one target, their union." in " ".join(both.notes)
    assert not any("one target" in note for note in scene(segmentation, ("node",)).notes)

"""What a scene had to assume is said in its notes."""

from dataclasses import replace

from true_plans import ORGANS, box_patient

from anatomy.patient.notes import skin_text
from anatomy.scene import scene
from anatomy.structures import Role, Segmentation


def test_a_skin_that_is_guessed_is_said_to_be_a_guess() -> None:
    told = box_patient().scene
    guessed = box_patient({name: organ for name, organ in ORGANS.items() if name != "body"}).scene
    assert not any("body structure" in note for note in told.notes)
    assert told.skin_structures == ("body",) and guessed.skin_structures == ()
    assert skin_text(told.skin_structures).startswith("Skin is the surface of body joined")
    assert skin_text(guessed.skin_structures).startswith("No body structure")
    assert any("may lie centimetres inside the patient" in note for note in guessed.notes)


def test_several_targets_are_said_to_be_one() -> None:
    organs = {**ORGANS, "other": (Role.TARGET, ((20, 20, 17), (24, 24, 20)))}
    one = box_patient(organs).scene
    segmentation = Segmentation(one.grid, tuple(s.with_role(organs[s.name][0]) for s in one.structures), ())
    both = scene(segmentation)
    assert "node, other are treated as one target, their union." in " ".join(both.notes)
    assert not any("one target" in note for note in scene(segmentation, ("node",)).notes)


def test_what_a_name_makes_passable_is_noted_once_and_nothing_that_was_asked_for() -> None:
    one = box_patient({**ORGANS, "other": (Role.TARGET, ((20, 20, 17), (24, 24, 20)))}).scene
    named = {"aorta": "pleural_effusion", "heart": "autochthon_left", "other": "lesion_2"}
    given = Segmentation(
        one.grid, tuple(replace(s, name=named.get(s.name, s.name), role=None) for s in one.structures), ()
    )
    notes = scene(given, ("node",)).notes
    assert "Taken as passable by their names: autochthon_left, pleural_effusion." in notes
    assert "Not the target, so taken as passable: lesion_2." in notes
    asked = scene(given, ("node",), {"autochthon_left": "passable", "lesion_2": "forbidden"}).notes
    assert "Taken as passable by their names: pleural_effusion." in asked
    assert not any("Not the target" in note for note in asked)

"""The notes of a scene state its assumptions."""

from dataclasses import replace

from true_plans import ORGANS, box_patient

from anatomy.patient.notes import skin_text
from anatomy.scene import scene
from anatomy.structures import Role, Segmentation


def test_a_guessed_skin_is_reported_as_a_guess() -> None:
    with_body = box_patient().scene
    guessed = box_patient({name: organ for name, organ in ORGANS.items() if name != "body"}).scene
    assert not any("body structure" in note for note in with_body.notes)
    assert with_body.skin_structures == ("body",) and guessed.skin_structures == ()
    assert skin_text(with_body.skin_structures).startswith("Skin is the surface of body joined")
    assert skin_text(guessed.skin_structures).startswith("No body structure")
    assert any("may lie centimetres inside the patient" in note for note in guessed.notes)


def test_several_targets_are_reported_as_one() -> None:
    organs = {**ORGANS, "other": (Role.TARGET, ((20, 20, 17), (24, 24, 20)))}
    chest = box_patient(organs).scene
    segmentation = Segmentation(
        chest.grid, tuple(s.with_role(organs[s.name][0]) for s in chest.structures), ()
    )
    combined = scene(segmentation)
    assert "node, other are treated as one target, their union." in " ".join(combined.notes)
    assert not any("one target" in note for note in scene(segmentation, ("node",)).notes)


def test_structures_passable_by_name_are_noted_and_requested_ones_are_not() -> None:
    chest = box_patient({**ORGANS, "other": (Role.TARGET, ((20, 20, 17), (24, 24, 20)))}).scene
    new_names = {"aorta": "pleural_effusion", "heart": "autochthon_left", "other": "lesion_2"}
    input_data = Segmentation(
        chest.grid,
        tuple(replace(s, name=new_names.get(s.name, s.name), role=None) for s in chest.structures),
        (),
    )
    notes = scene(input_data, ("node",)).notes
    assert "Taken as passable by their names: autochthon_left, pleural_effusion." in notes
    assert "Not the target, so taken as passable: lesion_2." in notes
    requested_notes = scene(
        input_data, ("node",), {"autochthon_left": "passable", "lesion_2": "forbidden"}
    ).notes
    assert "Taken as passable by their names: pleural_effusion." in requested_notes
    assert not any("Not the target" in note for note in requested_notes)

"""Names of meshes: a common prefix from the segmentation's name is removed, and nothing else."""

from pathlib import Path

import pytest
import trimesh

from anatomy.readers.mesh.mesh_names import mesh_names
from anatomy.readers.read import read
from anatomy.scene import scene
from anatomy.structures import Role


def names(*stems: str) -> list[str]:
    files = [Path(f"{stem}.stl") for stem in stems]
    names_by_file, notes = mesh_names(files)
    assert list(names_by_file) == files
    assert bool(notes) is (list(names_by_file.values()) != list(stems))
    return list(names_by_file.values())


@pytest.mark.parametrize("prefix", ["Segmentation_", "CT_chest_Segmentation_2_", "s_"])
def test_the_name_of_the_segmentation_is_removed(prefix: str) -> None:
    organs = ["body", "Superior Vena Cava", "lung_upper_lobe_left", "Segment_1"]
    assert names(*(prefix + organ for organ in organs)) == organs


@pytest.mark.parametrize(
    "stems",
    [
        ("lung_left", "lung_right"),
        ("lung_upper_lobe_left", "lung_lower_lobe_left"),
        ("heart_atrium_left", "heart_ventricle_left"),
        ("body", "heart"),
        ("Segmentation_body", "heart"),
        ("Segmentation_a", "Segmentation_b"),
        ("Segmentation_", "Segmentation_body"),
        ("Segmentation_body",),
        (),
    ],
)
def test_names_are_kept_if_the_removal_gives_no_known_name(stems: tuple[str, ...]) -> None:
    assert names(*stems) == list(stems)


def test_a_folder_exported_by_3d_slicer_is_read_by_its_organs(tmp_path: Path) -> None:
    for name, radius, centre in (
        ("body", 90.0, (0, 0, 0)),
        ("heart", 25.0, (20, -20, -10)),
        ("right lung", 30.0, (-45, 0, 0)),
        ("node 4R", 8.0, (0, 10, 30)),
    ):
        ball = trimesh.creation.icosphere(3, radius)
        ball.apply_translation(centre)
        ball.export(tmp_path / f"Segmentation_{name}.stl")
    full_scene = scene(read(tmp_path)[0])
    roles = {s.name: s.role for s in full_scene.structures}
    assert roles == {
        "body": Role.SKIN,
        "heart": Role.FORBIDDEN,
        "right lung": Role.LUNG,
        "node 4R": Role.TARGET,
    }
    assert any("'Segmentation_', with which all file names begin" in note for note in full_scene.notes)

"""Reading: a case in any supported format, to named structures on one grid.

    INPUT                                      read by
    NIfTI label map + names                    label_map     names from a JSON table or the file's own table
    folder of one-organ NIfTI masks            mask_folder   names from the file names
    .seg.nrrd                                  nrrd          names from the header
    STL, OBJ, PLY, or a folder of them         mesh          names from the file names

The content decides on a file's format if the format has a signature, else the suffix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from anatomy.errors import Companion, FrameMismatch, ReadError, StructureError, SurfaceError
from anatomy.geometry.extents import refuse_far_apart
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers, mask_from_bool
from anatomy.geometry.surface import Surface
from anatomy.geometry.surface_bodies import bodies_without_voxels
from anatomy.geometry.surfaces import grid_around, voxelise
from anatomy.names.roles import role_of
from anatomy.plausibility.sizes import refuse_unlikely_surfaces, refuse_unlikely_target
from anatomy.readers.digest import digest
from anatomy.readers.file_names import is_surface, organ_name
from anatomy.readers.input_kinds import KINDS, dicom_error, has_nifti_name, input_files, is_dicom
from anatomy.readers.label_map import read_label_map
from anatomy.readers.mask_folder import read_masks
from anatomy.readers.mesh.mesh_axes import MeshAxes, resolve_axes
from anatomy.readers.mesh.mesh_files import axes_stated_in, read_surface
from anatomy.readers.mesh.mesh_names import mesh_names
from anatomy.readers.nifti.volume import Remarks, is_nifti, read_ct, read_mask
from anatomy.readers.nrrd.seg_nrrd import is_nrrd, read_segments
from anatomy.readers.same_grid import refuse_other_grid
from anatomy.remarks import notes_on_files
from anatomy.structures import Role, Segmentation, Structure

SURFACE_VOXEL_MM = 1.5
"""Voxel size of the grid for surfaces [U]: half of a common slice spacing. It is fine enough for the search,
for which the masks of surfaces are used; distances are verified on the triangles."""


def read(
    path: Path,
    *,
    names: Path | None = None,
    targets: Sequence[Path] = (),
    ct: Path | None = None,
    mesh_axes: MeshAxes | None = None,
) -> tuple[Segmentation, tuple[str, ...]]:
    """A case's structures, and the names of those that were given as target files.

    `targets` are files of one structure each: a mask on the same grid, a surface, or a .seg.nrrd with one
    segment. `ct` must be on the same grid. `mesh_axes` is for surfaces whose files do not state their axes.
    Raises ReadError for what cannot be read, FrameMismatch for what is in another frame or on another grid,
    GridError, SurfaceError and StructureError as their docstrings say.
    """
    for file in (path, names, *targets, ct):
        if file is not None and not file.exists():
            raise ReadError(file.name, "there is no such file or folder", "Check the path.")
    files, ignored_note = input_files(path) if path.is_dir() else ((path,), ())
    axes, axes_notes = _settled_axes((*files, *targets), mesh_axes)
    segmentation = _read_folder(files, axes) if path.is_dir() else _read_file(path, names, axes)
    if names is not None:
        if not _needs_names(path):
            raise ReadError(
                names.name, "only a NIfTI label map takes a names table", "Leave the names table out."
            )
        files = (*files, names)
    declared: list[str] = []
    remarks: list[tuple[str, str]] = []
    for target in targets:
        structure, target_remarks = _read_target(target, segmentation, axes)
        remarks += [(target.name, remark) for remark in target_remarks]
        if structure.name in segmentation.names():
            raise StructureError(
                target.name,
                f"the input has a structure {structure.name!r} already",
                "Rename the target's file, or name that structure as the target.",
            )
        slack = segmentation.surface_slack_mm
        if structure.surface is not None:
            slack = max(slack, _diagonal_mm(segmentation.grid))
        segmentation = replace(
            segmentation, structures=(*segmentation.structures, structure), surface_slack_mm=slack
        )
        declared.append(structure.name)
    if ct is not None:
        ct_hu, ct_remarks = _read_ct(ct, segmentation.grid)
        segmentation = replace(segmentation, ct_hu=ct_hu)
        remarks += [(ct.name, remark) for remark in ct_remarks]
    sources = (*files, *targets, *(() if ct is None else (ct,)))
    segmentation = replace(
        segmentation,
        inputs=tuple(digest(file, axes.get(file)) for file in sources),
        notes=(*ignored_note, *axes_notes, *segmentation.notes, *notes_on_files(remarks)),
    )
    return segmentation, tuple(declared)


def _settled_axes(
    files: Sequence[Path], requested: MeshAxes | None
) -> tuple[dict[Path, MeshAxes], tuple[str, ...]]:
    """The axes of each surface among the files, and notes on them. Raises as `resolve_axes` does, and
    ReadError if axes are requested but no file is a surface."""
    surfaces = [file for file in files if file.is_file() and is_surface(file)]
    if requested is not None and not surfaces:
        raise ReadError(
            "mesh_axes",
            "the input has no surface, and only surfaces take mesh axes",
            ("Leave ", Companion.MESH_AXES, " out."),
        )
    return resolve_axes({file: axes_stated_in(file) for file in surfaces}, requested)


def _needs_names(path: Path) -> bool:
    return path.is_file() and is_nifti(path)


def _read_file(path: Path, names: Path | None, axes: Mapping[Path, MeshAxes]) -> Segmentation:
    if is_nrrd(path):
        grid, structures = read_segments(path)
        return Segmentation(grid, structures, ())
    if is_surface(path):
        return _on_own_grid({path: read_surface(path, axes[path])})
    if is_nifti(path) or has_nifti_name(path.name):
        return _read_label_map(path, names)
    if is_dicom(path):
        raise dicom_error(path)
    raise ReadError(path.name, "its format is not supported", f"Give {KINDS}.")


def _read_label_map(path: Path, names: Path | None) -> Segmentation:
    grid, structures, remarks = read_label_map(path, names)
    notes = notes_on_files((path.name, remark) for remark in remarks)
    return Segmentation(grid, structures, (), notes=notes)


def _read_folder(files: tuple[Path, ...], axes: Mapping[Path, MeshAxes]) -> Segmentation:
    """The structures in a folder's files, which are all of one kind."""
    if is_surface(files[0]):
        return _on_own_grid({file: read_surface(file, axes[file]) for file in files})
    grid, structures, remarks = read_masks(files)
    return Segmentation(grid, structures, (), notes=notes_on_files(remarks))


def _on_own_grid(surfaces: dict[Path, Surface]) -> Segmentation:
    refuse_far_apart({file.name: surface for file, surface in surfaces.items()})
    names, notes = mesh_names(list(surfaces))
    refuse_unlikely_surfaces({file.name: (names[file], surface) for file, surface in surfaces.items()})
    grid = grid_around(surfaces.values(), SURFACE_VOXEL_MM)
    layers = MaskLayers(grid.shape)
    structures: dict[str, Structure] = {}
    for file, surface in surfaces.items():
        name = names[file]
        if name in structures:
            raise ReadError(file.name, f"two files give the structure {name!r}", "Remove one of them.")
        # A target enlarged to whole voxels would be treated beyond its edge; other structures err towards
        # avoidance.
        touching = role_of(name) is not Role.TARGET
        mask = voxelise(surface, grid, touching=touching)
        if not touching and mask.any():
            _refuse_lost(file.name, surface, mask, grid)
        structures[name] = Structure(name, layers.add(name, mask), surface=surface)
    return Segmentation(
        grid, tuple(structures.values()), (), surface_slack_mm=_diagonal_mm(grid), notes=notes
    )


def _diagonal_mm(grid: Grid) -> float:
    return float(np.linalg.norm(grid.spacing_mm))


def _read_target(
    path: Path, segmentation: Segmentation, axes: Mapping[Path, MeshAxes]
) -> tuple[Structure, Remarks]:
    """One target file as a structure with the role target, on the segmentation's grid, and remarks on it."""
    grid = segmentation.grid
    if path.is_dir():
        raise ReadError(path.name, "a target is one file, and this is a folder", "Give a mask or a surface.")
    if is_nrrd(path):
        own, segments = read_segments(path)
        filled = [s for s in segments if s.mask.count > 0]
        if len(filled) != 1:
            raise ReadError(
                path.name, f"it holds {len(filled)} segments with voxels", "Save the target alone in it."
            )
        refuse_other_grid(path.name, own, "the input", grid)
        return replace(filled[0], role=Role.TARGET), ()
    if is_surface(path):
        surface = read_surface(path, axes[path])
        refuse_unlikely_target(path.name, surface)
        _refuse_beyond(path, surface, grid)
        mask = voxelise(surface, grid, touching=False)
        _refuse_lost(path.name, surface, mask, grid)
        return Structure(path.stem, mask_from_bool(mask), Role.TARGET, surface), ()
    if is_nifti(path) or has_nifti_name(path.name):
        mask, own, remarks = read_mask(path)
        refuse_other_grid(path.name, own, "the input", grid)
        if not mask.any():
            raise StructureError(
                path.name, "the target is empty: no voxel is set", "Segment it, and save it again."
            )
        return Structure(organ_name(path), mask_from_bool(mask), Role.TARGET), remarks
    raise ReadError(
        path.name, "its format is not supported for a target", "Give a NIfTI mask, .seg.nrrd or a surface."
    )


def _refuse_lost(file: str, target: Surface, mask: np.ndarray, grid: Grid) -> None:
    """Raise SurfaceError if a target, or a part of it, lies between voxel centres: it would not be
    treated."""
    if not mask.any():
        raise SurfaceError(file, "it holds no voxel centre of the input's grid", "Use finer voxels.")
    lost_bodies = bodies_without_voxels(file, target, grid)
    if lost_bodies:
        parts = "one of its parts holds" if lost_bodies == 1 else f"{lost_bodies} of its parts hold"
        raise SurfaceError(
            file,
            f"{parts} no voxel centre of the input's grid, and would not be treated",
            "Use finer voxels, or remove noise from the surface.",
        )


def _refuse_beyond(path: Path, surface: Surface, grid: Grid) -> None:
    """Raise FrameMismatch if a surface extends beyond the grid: it is in RAS, in cm, or of another scan."""
    p_B = grid.to_box(surface.vertices_P)
    if (p_B < grid.lower_B).any() or (p_B > grid.upper_B).any():
        raise FrameMismatch(
            path.name,
            "the surface extends outside the input's field of view",
            "Check that it is in patient LPS mm and from the same scan.",
        )


def _read_ct(path: Path, grid: Grid) -> tuple[np.ndarray, Remarks]:
    if not path.is_file() or not (is_nifti(path) or has_nifti_name(path.name)):
        raise ReadError(path.name, "CT is read from NIfTI only", "Convert it to .nii.gz on the labels' grid.")
    ct_hu, own, remarks = read_ct(path)
    refuse_other_grid(path.name, own, "the input", grid)
    return ct_hu, remarks

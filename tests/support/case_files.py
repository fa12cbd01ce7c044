"""Input files made for tests: small volumes and meshes in every format that is read."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

OBLIQUE = np.array(
    [
        [0.9396926, -0.3420201, 0.0, -12.0],
        [0.3420201, 0.9396926, 0.0, 34.0],
        [0.0, 0.0, 1.0, 560.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
) @ np.diag([0.8, 0.9, 5.0, 1.0])
"""Voxel to LPS: turned 20 degrees about the patient's length, anisotropic. [mm]"""


def body_labels() -> np.ndarray:
    """Three labels in a block of 12 x 10 x 8, none of them symmetric: 1 a body, 2 a heart, 3 a node."""
    labels = np.zeros((12, 10, 8), np.uint8)
    labels[1:11, 1:9, 1:8] = 1
    labels[6:9, 2:5, 2:4] = 2
    labels[2:5, 3:6, 5:7] = 3
    return labels


NAMES = {"1": "body", "2": "heart", "3": "node_4R"}


def write_nifti(
    path: Path,
    values: np.ndarray,
    X_PV: np.ndarray = OBLIQUE,
    extension: bytes | None = None,
    unit: str = "mm",
    version: int = 1,
) -> Path:
    """A NIfTI file, gzip-packed where its name says so."""
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    image = kind(values, RAS_FROM_LPS @ X_PV)
    image.header.set_xyzt_units(unit)
    if extension is not None:
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, extension))
    image.to_filename(path)
    return path


def write_names(path: Path, names: Mapping[str, object] = NAMES) -> Path:
    path.write_text(json.dumps(names), encoding="utf-8")
    return path


def label_table(names: Mapping[str, object] = NAMES) -> bytes:
    """The XML that TotalSegmentator puts into a NIfTI header."""
    labels = "".join(
        f'<Label Key="{key}" Red="0.1" Green="0.2" Blue="0.3" Alpha="1"><![CDATA[{name}]]></Label>\n'
        for key, name in names.items()
    )
    head = (
        '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension> <VolumeInformation Index="0"> <LabelTable>'
    )
    return f"{head}\n{labels}</LabelTable> </VolumeInformation></CaretExtension>\n    ".encode()


def write_seg_nrrd(
    path: Path,
    layers: np.ndarray,
    segments: list[dict[str, object]],
    X_PV: np.ndarray = OBLIQUE,
    space: str = "left-posterior-superior",
    encoding: str = "gzip",
    extra: str = "",
) -> Path:
    """A .seg.nrrd file as 3D Slicer writes it; `layers` is (nx, ny, nz) or (layer, nx, ny, nz)."""
    X = X_PV if space == "left-posterior-superior" else RAS_FROM_LPS @ X_PV
    axes = [f"({','.join(repr(float(v)) for v in X[:3, n])})" for n in range(3)]
    kinds = ["domain"] * 3
    if layers.ndim == 4:
        axes, kinds = ["none", *axes], ["list", *kinds]
    types = {"|u1": "uchar", "<i2": "short", "<u2": "ushort", "<f8": "double"}
    lines = [
        "NRRD0004",
        f"type: {types[layers.dtype.str]}",
        f"dimension: {layers.ndim}",
        f"space: {space}",
        f"sizes: {' '.join(map(str, layers.shape))}",
        f"space directions: {' '.join(axes)}",
        f"kinds: {' '.join(kinds)}",
        "endian: little",
        f"encoding: {encoding}",
        f"space origin: ({','.join(repr(float(v)) for v in X[:3, 3])})",
    ]
    lines += [f"Segment{n}_{key}:={value}" for n, s in enumerate(segments) for key, value in s.items()]
    data = layers.tobytes(order="F")
    head = "\n".join([*lines, *([extra] if extra else [])]) + "\n\n"
    path.write_bytes(head.encode() + (gzip.compress(data) if encoding == "gzip" else data))
    return path

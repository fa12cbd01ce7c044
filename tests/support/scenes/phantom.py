"""A small synthetic chest, as a label map with its names: quick, and enough for a complete plan."""

import json
from pathlib import Path

import nibabel
import numpy as np

LABELS = {"1": "body", "2": "lung_left", "3": "aorta", "4": "node_4R", "5": "spinal_cord"}


def write_phantom(folder: Path) -> Path:
    """labels.nii.gz and labels.json: an ellipsoid of 136 x 112 x 132 mm with a lung, a vessel, a cord and a
    node of 16 mm. Returns the folder."""
    x, y, z = (axis - 39.5 for axis in np.meshgrid(*[np.arange(80)] * 3, indexing="ij"))
    labels = np.zeros((80, 80, 80), np.uint8)
    body = (x / 34) ** 2 + (y / 28) ** 2 + (z / 33) ** 2 < 1
    labels[body] = 1
    labels[((x - 16) / 12) ** 2 + (y / 16) ** 2 + (z / 20) ** 2 < 1] = 2
    labels[body & ((x + 2) ** 2 + (y - 8) ** 2 < 20)] = 3
    labels[(x + 6) ** 2 + (y + 4) ** 2 + z**2 < 16] = 4
    labels[body & (x**2 + (y - 20) ** 2 < 9)] = 5
    # Indices grow to the left and to the back: NIfTI's axes are right, anterior, superior.
    image = nibabel.Nifti1Image(labels, np.diag([-2.0, -2.0, 2.0, 1.0]))
    nibabel.save(image, folder / "labels.nii.gz")
    (folder / "labels.json").write_text(json.dumps(LABELS), encoding="utf-8")
    return folder

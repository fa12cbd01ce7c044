"""Peak memory of planning a 512 x 512 x 300 label map, from file to verified plan, in its own process."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks import case
from benchmarks.table import Row

SHAPE = (512, 512, 300)
GOAL_GIB = 1.5
NAME = "memory"

CHILD = """
import sys
from pathlib import Path
from anatomy.readers.read import read
from anatomy.scene import scene
from planner.plan import plan
from planner.records.progress import always
from planner.records.request.request import Request

labels, names, target = map(Path, sys.argv[1:])
segmentation, targets = read(labels, names=names, targets=(target,))
done = plan(scene(segmentation, targets), Request(), always)
# Peak of this program alone: getrusage would count its parent's memory at the moment of the fork as well.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0], done.plan.outcome.status)
"""


def run() -> list[Row]:
    """Write the case blown up to 512 x 512 x 300 voxels, plan it, and ask the kernel for the peak."""
    if not Path("/proc/self/status").exists():
        raise SystemExit("the memory benchmark reads /proc/self/status: it runs on Linux")
    with tempfile.TemporaryDirectory() as folder:
        inputs = _enlarged("4R", Path(folder))
        command = [sys.executable, "-c", CHILD, *map(str, inputs)]
        peak_kib, status = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
        ).stdout.split()[-2:]
    gib = int(peak_kib) / 2**20
    size = " x ".join(map(str, SHAPE))
    return [Row(NAME, f"peak, {size}, {status}", gib, "GiB", "", f"< {GOAL_GIB}", gib < GOAL_GIB)]


def _enlarged(target: str, folder: Path) -> tuple[Path, Path, Path]:
    """The real case with each voxel repeated, and its edges continued, to `SHAPE`."""
    labels, names, mask = case.files(target)
    written = []
    for source in (labels, mask):
        image = nib.Nifti1Image.from_filename(source)
        values = np.asarray(image.dataobj, dtype=np.uint8)
        times = [max(1, round(n / m)) for n, m in zip(SHAPE, values.shape, strict=True)]
        for axis, n in enumerate(times):
            values = np.repeat(values, n, axis=axis)
        values = values[tuple(slice(0, n) for n in SHAPE)]
        values = np.pad(values, [(0, n - m) for n, m in zip(SHAPE, values.shape, strict=True)], mode="edge")
        affine = np.asarray(image.affine) @ np.diag([*(1.0 / np.array(times)), 1.0])
        # Corners of the first voxel stay where they were.
        affine[:3, 3] += np.asarray(image.affine)[:3, :3] @ (0.5 / np.array(times) - 0.5)
        path = folder / source.name
        nib.Nifti1Image(values, affine).to_filename(path)
        written.append(path)
    copied = folder / names.name
    copied.write_text(json.dumps(json.loads(names.read_text(encoding="utf-8"))), encoding="utf-8")
    return written[0], copied, written[1]

"""Case: where a case's input is. `service.operations.open_case` reads it."""

from dataclasses import dataclass
from pathlib import Path

from anatomy.readers.mesh.mesh_axes import MeshAxes
from service.host.damaged_file import KeptFile

BUILTINS = ("thorax",)
"""Cases that need no file."""


@dataclass(frozen=True)
class Case:
    """Where a case's input is: a file or folder with its companions, or the name of a built-in. `mesh_axes`
    are those of surfaces whose files do not state theirs. `kept` are all files of a stored case, with their
    expected content."""

    source: Path | str
    names: Path | None = None
    targets: tuple[Path, ...] = ()
    ct: Path | None = None
    mesh_axes: MeshAxes | None = None
    kept: tuple[KeptFile, ...] = ()

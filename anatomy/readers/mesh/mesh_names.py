"""Mesh names: structures by the names of their files, without what a segmentation's own name adds to each.

3D Slicer writes each segment to a file of its own, SEGMENTATION_SEGMENT.stl:

    Segmentation_body.stl, Segmentation_heart.stl   -->   body, heart
    lung_left.stl, lung_right.stl                   -->   as they are: "left" and "right" are no organs
"""

from collections.abc import Sequence
from pathlib import Path

from anatomy.names.roles import is_known


def mesh_names(files: Sequence[Path]) -> tuple[dict[Path, str], tuple[str, ...]]:
    """The structure that each file is named for, and a note where a beginning that all share was left out.

    It is, where that makes more of the names known than are as they stand.
    """
    stems = {file: file.stem for file in files}
    known = {prefix: _known(list(stems.values()), prefix) for prefix in ("", *_shared(list(stems.values())))}
    most = max(known.values())
    # What is left of "Segmentation_2_body" without "Segmentation_" would be known, too.
    best = "" if known[""] == most else max(prefix for prefix in known if known[prefix] == most)
    if not best:
        return stems, ()
    names = {file: stem[len(best) :] for file, stem in stems.items()}
    return names, (f"Files are named for what follows {best!r}, with which all of them begin.",)


def _shared(stems: Sequence[str]) -> list[str]:
    """Beginnings that end in "_", all of several share, and leave something of each; shortest first."""
    if len(stems) < 2:
        return []
    beginnings = (stems[0][: n + 1] for n, letter in enumerate(stems[0]) if letter == "_")
    return [b for b in beginnings if all(stem.startswith(b) and stem != b for stem in stems)]


def _known(stems: Sequence[str], prefix: str) -> int:
    return sum(is_known(stem[len(prefix) :]) for stem in stems)

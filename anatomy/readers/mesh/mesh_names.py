"""Mesh names: the names of structures by their file names, without the segmentation's name in front.

3D Slicer writes each segment to a separate file, SEGMENTATION_SEGMENT.stl:

    Segmentation_body.stl, Segmentation_heart.stl   -->   body, heart
    lung_left.stl, lung_right.stl                   -->   unchanged: "left" and "right" are no organs
"""

from collections.abc import Sequence
from pathlib import Path

from anatomy.names.roles import is_known


def mesh_names(files: Sequence[Path]) -> tuple[dict[Path, str], tuple[str, ...]]:
    """The structure name of each file, and a note if a common prefix of all names was removed.

    It is removed if more names are known without it than with it.
    """
    stems = {file: file.stem for file in files}
    known = {prefix: _known(list(stems.values()), prefix) for prefix in ("", *_shared(list(stems.values())))}
    most = max(known.values())
    # Of "Segmentation_2_body", both "2_body" and "body" would be known: the longest prefix is removed.
    best = "" if known[""] == most else max(prefix for prefix in known if known[prefix] == most)
    if not best:
        return stems, ()
    names = {file: stem[len(best) :] for file, stem in stems.items()}
    return names, (f"Structures are named by what follows {best!r}, with which all file names begin.",)


def _shared(stems: Sequence[str]) -> list[str]:
    """Prefixes that end in "_", are common to several stems, and are shorter than each; shortest first."""
    if len(stems) < 2:
        return []
    beginnings = (stems[0][: n + 1] for n, letter in enumerate(stems[0]) if letter == "_")
    return [b for b in beginnings if all(stem.startswith(b) and stem != b for stem in stems)]


def _known(stems: Sequence[str], prefix: str) -> int:
    return sum(is_known(stem[len(prefix) :]) for stem in stems)

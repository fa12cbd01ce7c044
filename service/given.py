"""Given: whether a plan is used with the files that it was made from, and with all of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from anatomy.errors import ReadError
from anatomy.masks_io import organ_name
from anatomy.structures import InputDigest


def refuse_left_out(
    claimed: Sequence[InputDigest], given: Sequence[InputDigest], targets: Sequence[str]
) -> None:
    """Raise ReadError where fewer files are given than the plan was made from, and name one that lacks; and
    where a surface is read in other axes than the plan's.

    `targets` are the names of the plan's targets. A file that was exchanged for another is no matter of this:
    its sha256 fails verification.
    """
    _refuse_other_axes(claimed, given)
    if len(given) >= len(claimed):
        return
    names, contents = {g.name for g in given}, {g.sha256 for g in given}
    for file in claimed:
        if file.name not in names and file.sha256 not in contents:
            raise ReadError(
                file.name,
                "the plan was made with this file, and it is not given",
                f"Give all that the plan was made from, this one {_how(file.name, targets)}.",
            )


def refuse_other_files(claimed: Sequence[InputDigest], given: Sequence[InputDigest]) -> None:
    """Raise ReadError where the files given are not those that the plan was made from, or exchanged names,
    which are organs' where each has a file of its own; and name one."""
    wanted, found = ({file.sha256: file.name for file in files} for files in (claimed, given))
    for sha256, name in found.items():
        if sha256 not in wanted:
            raise ReadError(
                name,
                "the plan was made from other content than this (its sha256 differs)",
                f"Give what it was made from: {', '.join(wanted.values()) or 'no file'}.",
            )
    for sha256, name in wanted.items():
        if sha256 not in found:
            raise ReadError(name, "the plan was made with this file, and it is not given", "Give it too.")
    swapped = exchanged(wanted, found)
    if swapped is not None:
        raise ReadError(
            swapped[0],
            f"the plan was made with this content under the name {swapped[1]}: names were exchanged",
            "Give each file its own name: a mask or surface is the organ that its name says.",
        )


def exchanged(wanted: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, str] | None:
    """Of two lists of names by sha256, a name that stands for other content in the second than in the first,
    and what that content is called in the first; None where there is none. A name that is in one list alone
    was given anew, and says nothing."""
    for sha256, name in sorted(found.items()):
        called = wanted.get(sha256, name)
        if called != name and name in wanted.values():
            return name, called
    return None


def _refuse_other_axes(claimed: Sequence[InputDigest], given: Sequence[InputDigest]) -> None:
    """The content is the same, so the file states no axes: they are what was asked for."""
    wanted = {file.sha256: file.axes for file in claimed if file.axes is not None}
    for file in given:
        asked = wanted.get(file.sha256, file.axes)
        if file.axes is not None and asked is not None and asked != file.axes:
            raise ReadError(
                file.name,
                f"the plan was made with it in {asked.upper()}, and it is read as {file.axes.upper()}",
                f"Give --mesh-axes {asked}.",
            )


def _how(file: str, targets: Sequence[str]) -> str:
    """How a companion file is given. Its name tells: a plan does not state what each input was."""
    if file.lower().endswith(".json"):
        return "by --names"
    return "by --target" if organ_name(Path(file)) in targets else "by --ct"

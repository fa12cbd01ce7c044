"""Input matching: whether a plan is used with the files from which it was made, and with all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from anatomy.errors import Companion, ReadError
from anatomy.readers.file_names import organ_name
from anatomy.structures import InputDigest


def refuse_left_out(
    claimed: Sequence[InputDigest], given: Sequence[InputDigest], targets: Sequence[str]
) -> None:
    """Raise ReadError if fewer files are given than the plan was made from, and name a missing one; also if a
    surface is read in other axes than the plan's.

    `targets` are the names of the plan's targets. A file with other content is not detected here: its sha256
    fails verification.
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
                ("Give all that the plan was made from, this one by ", _how(file.name, targets), "."),
            )


def refuse_other_files(claimed: Sequence[InputDigest], given: Sequence[InputDigest]) -> None:
    """Raise ReadError if the given files are not those from which the plan was made, or if their names were
    exchanged (with one file for each organ, the name says which organ it is); and name one."""
    expected, actual = ([(file.sha256, file.name) for file in files] for files in (claimed, given))
    counted, given_counts = (Counter(sha256 for sha256, _ in files) for files in (expected, actual))
    for sha256, name in actual:
        if given_counts[sha256] > counted[sha256]:
            raise ReadError(
                name,
                "the plan was made from other content than this (its sha256 differs)"
                if counted[sha256] == 0
                else "it has the content of another file that is given, and the plan was made without it",
                f"Give what it was made from: {', '.join(name for _, name in expected) or 'no file'}.",
            )
    for sha256, name in expected:
        if counted[sha256] > given_counts[sha256]:
            raise ReadError(name, "the plan was made with this file, and it is not given", "Give it too.")
    swapped = exchanged(expected, actual)
    if swapped is not None:
        raise ReadError(
            swapped[0],
            f"the plan was made with this content under the name {swapped[1]}: names were exchanged",
            "Give each file its own name: a mask or surface is the organ that its name says.",
        )


def refuse_other_roles(claimed: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Raise ReadError if the structures, each with its role, are not the plan's, and name one: the content is
    the same, so a file has the name of another organ."""
    for name in sorted({*claimed, *given}):
        expected, actual = claimed.get(name, "not there"), given.get(name, "not there")
        if expected != actual:
            raise ReadError(
                name,
                f"in the plan it is {expected}, and in what is given {actual}",
                "Give each file the name that it had: a mask or surface is the organ that its name says.",
            )


def exchanged(
    expected: Sequence[tuple[str, str]], actual: Sequence[tuple[str, str]]
) -> tuple[str, str] | None:
    """Of two lists of (sha256, name), a name that has other content in the second list than in the first, and
    the name of that content in the first; None if there is none. A name that is in one list alone was a free
    choice: a label map or a CT means the same under any name."""
    contents: dict[str, set[str]] = {}
    for sha256, name in expected:
        contents.setdefault(name, set()).add(sha256)
    for sha256, name in sorted(actual):
        if name in contents and sha256 not in contents[name]:
            return name, next((called for other, called in expected if other == sha256), name)
    return None


def _refuse_other_axes(claimed: Sequence[InputDigest], given: Sequence[InputDigest]) -> None:
    """The content is the same, so the file states no axes: they were given as an option."""
    claimed_axes = {file.sha256: file.axes for file in claimed if file.axes is not None}
    for file in given:
        plan_axes = claimed_axes.get(file.sha256, file.axes)
        if file.axes is not None and plan_axes is not None and plan_axes != file.axes:
            raise ReadError(
                file.name,
                f"the plan was made with it in {plan_axes.upper()}, and it is read as {file.axes.upper()}",
                ("Give ", Companion.MESH_AXES, f" {plan_axes}."),
            )


def _how(file: str, targets: Sequence[str]) -> Companion:
    """Which companion a file is, from its name: a plan does not state the kind of each input."""
    if file.lower().endswith(".json"):
        return Companion.NAMES
    return Companion.TARGET if organ_name(Path(file)) in targets else Companion.CT

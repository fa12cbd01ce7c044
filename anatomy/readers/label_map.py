"""Label map: one NIfTI volume of labels, with the table of their names. Which table is used:

a table is given, the file has none        the given one
the file has a table, none is given        the file's own
both, with the same names                  the given one
both, with another name for a label        the given one, with a note: names may be changed on purpose
both, with one name at two labels          refused: one of the tables belongs to another file
both, and the file's own is damaged        the given one, with a note
"""

from pathlib import Path

from anatomy.errors import Companion, ReadError
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import masks_from_labels
from anatomy.readers.label_table import embedded_names, read_names
from anatomy.readers.nifti.volume import Remarks, embedded_extensions, read_labels
from anatomy.remarks import listed
from anatomy.structures import Structure


def read_label_map(path: Path, names: Path | None) -> tuple[Grid, tuple[Structure, ...], Remarks]:
    """The structures of a label map, and remarks on it.

    Raises what `anatomy.readers.nifti.volume.read_labels` and `anatomy.readers.label_table` raise, and
    ReadError if the map has no names, or if two tables contradict each other.
    """
    table, own, remarks = _tables(path, names)
    layer, grid, file_remarks = read_labels(path, table)
    masks = masks_from_labels(layer, table)
    if names is not None and own is not None:
        filled = {label: table[label] for label, mask in masks.items() if mask.count > 0}
        remarks += _compared(filled, own, path.name, names.name)
    return (
        grid,
        tuple(Structure(table[label], mask) for label, mask in masks.items()),
        (*remarks, *file_remarks),
    )


def _tables(path: Path, names: Path | None) -> tuple[dict[int, str], dict[int, str] | None, Remarks]:
    """The table to use, the file's own table, and a remark if that one is damaged but not needed."""
    extensions = embedded_extensions(path)
    if names is None:
        table = embedded_names(extensions, path.name)
        if table is None:
            raise ReadError(
                path.name,
                "a label map needs the names of its labels, and it contains none",
                ('Give a JSON table such as {"1": "heart"} by ', Companion.NAMES, "."),
            )
        return table, table, ()
    from_file = read_names(names)
    try:
        return from_file, embedded_names(extensions, path.name), ()
    except ReadError as damaged:
        return from_file, None, (f"{damaged.value}; only {names.name} was used",)


def _compared(from_file: dict[int, str], own: dict[int, str], file: str, names: str) -> Remarks:
    """Remarks on the differences between a given table and the file's own. Raises ReadError if they
    contradict each other."""
    others = {label: name for label, name in from_file.items() if own.get(label, name) != name}
    labels_of = {name: label for label, name in own.items()}
    for label, name in others.items():
        if name in labels_of:
            raise ReadError(
                names,
                f"it names label {label} {name!r}, which is label {labels_of[name]} in {file}'s own table",
                "Give the table that belongs to the file, or leave it out: the file has its own.",
            )
    if not others:
        return ()
    differences = listed(f"{label} is {name}, not {own[label]}" for label, name in others.items())
    return (f"labels are named by {names}, unlike in the file's own table: {differences}",)

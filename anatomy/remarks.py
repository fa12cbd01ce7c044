"""Remarks: what readers decided about single files, combined into notes that name each file once.

A remark is a phrase about one file: "its affine is in metres, and was converted to mm".
"""

from collections.abc import Iterable

MAX_LISTED = 5
"""Files, labels or names that one note lists."""


def listed(items: Iterable[str], most: int = MAX_LISTED) -> str:
    """The first few items, and how many more there are."""
    texts = list(items)
    left_out = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {left_out} more" if left_out > 0 else "")


def notes_on_files(remarks: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """One sentence for each remark, with all the files that have it. `remarks` are pairs (file, remark)."""
    files: dict[str, list[str]] = {}
    for file, remark in remarks:
        files.setdefault(remark, []).append(file)
    return tuple(f"{listed(known)}: {remark}." for remark, known in files.items())

"""Digests: which bytes went into a plan."""

import hashlib
from pathlib import Path

from anatomy.structures import InputDigest


def digest(path: Path) -> InputDigest:
    """The sha256 of a file's bytes under its base name, so that no folder of this machine enters a plan."""
    with path.open("rb") as stream:
        return InputDigest(path.name, hashlib.file_digest(stream, "sha256").hexdigest())

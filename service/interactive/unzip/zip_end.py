"""Zip end: what a zip says of its directory at its end, before any of the directory is read.

    | files | directory: 46 bytes and names for each entry | zip64 end, locator | end 22, comment to 65,535 |

APPNOTE.TXT 6.3.10, 4.3.14 to 4.3.16. The end is looked for as `zipfile` looks for it: the last signature in
the last bytes. Both of a zip64's two ends are heard, and the larger counts.
"""

import io
import struct
from dataclasses import dataclass

END_BYTES, MOST_COMMENT_BYTES = 22, 65_535

_END, _END_64 = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")


@dataclass(frozen=True)
class ZipEnd:
    """How many entries the directory has, and its bytes, as the zip says. Neither need be true."""

    entries: int
    directory_bytes: int


def zip_end(file: io.BufferedIOBase) -> ZipEnd | None:
    """The end of a zip; None where it has none. Reads 66 kB at most."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - END_BYTES - MOST_COMMENT_BYTES - 1 - _LOCATOR.size - _END_64.size))
    tail = file.read()
    at = len(tail) - END_BYTES
    if not (at >= 0 and tail[at:].startswith(b"PK\5\6") and tail.endswith(b"\0\0")):
        at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < END_BYTES:
        return None
    _, _, _, own, entries, directory_bytes, _, _ = _END.unpack_from(tail, at)
    stated = ZipEnd(max(own, entries), directory_bytes)
    at -= _LOCATOR.size + _END_64.size
    if at < 0 or not (tail.startswith(b"PK\6\6", at) and tail.startswith(b"PK\6\7", at + _END_64.size)):
        return stated
    *_, own, entries, directory_bytes, _ = _END_64.unpack_from(tail, at)
    # In the plain end, the largest number that it can hold stands for one that it cannot.
    plain = 0 if stated.entries == 0xFFFF else stated.entries
    plain_bytes = 0 if stated.directory_bytes == 0xFFFFFFFF else stated.directory_bytes
    return ZipEnd(max(own, entries, plain), max(directory_bytes, plain_bytes))

"""Streams: a file's content front to back, unpacked if need be, and known to be whole only at its end.

gzip closes each member with a check sum and a length (RFC 1952, 2.3.1), which are compared when the member's
last byte is passed. Who stops after the bytes it wants never learns that they were damaged: `finish` goes on.

    several members, one after another      taken as one content
    zeros after the last member             taken, as tapes and disks pad
    anything else after it                  refused
    zeros after the content that is wanted  taken up to MAX_PADDING_BYTES
    anything else there                     refused: the header does not describe this file
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anatomy.errors import ReadError

MAX_PADDING_BYTES = 2**20
"""Zeros after the wanted content [U]: more is no block's rest, and reading on costs time."""

GZIP_MAGIC = b"\x1f\x8b"

_CHUNK_BYTES = 2**16

_CUT = "Copy or write the file again."


class ByteStream:
    """The content of one file, read once, front to back."""

    def __init__(self, source: io.BufferedIOBase, file: str) -> None:
        self._source = source
        self._file = file
        self._fault: ReadError | None = None

    def read_up_to(self, count: int) -> bytes:
        """The next `count` bytes, or as many as there are. Raises ReadError where they are damaged, and from
        then on."""
        if self._fault is not None:
            raise self._fault
        try:
            return self._source.read(count)
        except EOFError:
            self._fault = ReadError(self._file, "it is cut short: its compression does not end", _CUT)
        except (OSError, zlib.error) as error:  # BadGzipFile, a check sum that does not hold, is an OSError
            self._fault = ReadError(self._file, f"it is damaged ({error})", _CUT)
        raise self._fault

    def read_exactly(self, count: int, what: str) -> bytes:
        """The next `count` bytes. Raises ReadError where they are damaged, or fewer; `what` names them."""
        content = self.read_up_to(count)
        if len(content) < count:
            raise ReadError(self._file, f"its {what} are cut short", _CUT)
        return content

    def finish(self) -> None:
        """Read on to the end. Raises ReadError where bytes before it are damaged, or where more than padding
        is left."""
        padding = 0
        while rest := self.read_up_to(_CHUNK_BYTES):
            padding += len(rest)
            if rest.count(0) < len(rest) or padding > MAX_PADDING_BYTES:
                raise ReadError(
                    self._file,
                    "it goes on after its voxels, so its header does not describe it",
                    "Write the file again, with the sizes that it has.",
                )

    def drain(self, most_bytes: int) -> None:
        """Read on, over at most so many bytes, for the sake of check sums alone. Raises ReadError."""
        while most_bytes > 0 and (rest := self.read_up_to(_CHUNK_BYTES)):
            most_bytes -= len(rest)


@contextmanager
def open_stream(path: Path) -> Iterator[ByteStream]:
    """A file's content, unpacked where it begins as gzip."""
    with path.open("rb") as raw:
        packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        yield gunzip_stream(raw, path.name) if packed else ByteStream(raw, path.name)


def gunzip_stream(raw: io.BufferedIOBase, file: str) -> ByteStream:
    """The content of the gzip members that begin where `raw` stands."""
    return ByteStream(gzip.GzipFile(fileobj=raw), file)

"""Byte streams: a file's content from front to back, decompressed if necessary, and verified at its end.

gzip ends each member with a checksum and a length (RFC 1952, 2.3.1), which are compared when the member's
last byte has been read. A reader that stops after the bytes it needs never learns that they were damaged: so
`finish` reads to the end.

    several members, one after another      read as one content
    zeros after the last member             accepted: tapes and disks pad files
    anything else after it                  refused
    zeros after the needed content          accepted up to MAX_PADDING_BYTES
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
"""Accepted zeros after the needed content [U]: more than the rest of a block, and reading them takes time."""

GZIP_MAGIC = b"\x1f\x8b"

_CHUNK_BYTES = 2**16

_CUT = "Copy or write the file again."


class ByteStream:
    """The content of one file, read once, from front to back."""

    def __init__(self, source: io.BufferedIOBase, file: str) -> None:
        self._source = source
        self._file = file
        self._fault: ReadError | None = None

    def read_up_to(self, count: int) -> bytes:
        """The next `count` bytes, or as many as there are. Raises ReadError if they are damaged, and at every
        call after that."""
        if self._fault is not None:
            raise self._fault
        try:
            return self._source.read(count)
        except EOFError:
            self._fault = ReadError(self._file, "it is cut short: its compression does not end", _CUT)
        except (OSError, zlib.error) as error:  # BadGzipFile, for a wrong checksum, is an OSError
            self._fault = ReadError(self._file, f"it is damaged ({error})", _CUT)
        raise self._fault

    def read_exactly(self, count: int, what: str) -> bytes:
        """The next `count` bytes. Raises ReadError if they are damaged or fewer; `what` names them in the
        error."""
        content = self.read_up_to(count)
        if len(content) < count:
            raise ReadError(self._file, f"its {what} are cut short", _CUT)
        return content

    def finish(self) -> None:
        """Read to the end. Raises ReadError if the bytes are damaged, or if more than padding is left."""
        padding = 0
        while chunk := self.read_up_to(_CHUNK_BYTES):
            padding += len(chunk)
            if chunk.count(0) < len(chunk) or padding > MAX_PADDING_BYTES:
                raise ReadError(
                    self._file,
                    "it continues after its voxels, so its header does not describe it",
                    "Write the file again, with its true sizes in the header.",
                )

    def drain(self, most_bytes: int) -> None:
        """Read at most this many further bytes, only to verify checksums. Raises ReadError."""
        while most_bytes > 0 and (chunk := self.read_up_to(_CHUNK_BYTES)):
            most_bytes -= len(chunk)


@contextmanager
def open_stream(path: Path) -> Iterator[ByteStream]:
    """A file's content, decompressed if it begins as gzip."""
    with path.open("rb") as raw:
        packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        yield gunzip_stream(raw, path.name) if packed else ByteStream(raw, path.name)


def gunzip_stream(raw: io.BufferedIOBase, file: str) -> ByteStream:
    """The content of the gzip members that begin at the position of `raw`."""
    return ByteStream(gzip.GzipFile(fileobj=raw), file)

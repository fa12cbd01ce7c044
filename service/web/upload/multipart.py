"""Multipart: the parts of a multipart body (RFC 7578), each written to its file as it arrives.

folder/0, folder/1, ...     the files in order, by number: no name from a sender is used as a path
"""

import codecs
import logging
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from service.settings import MIB

# Errors of a form are answered to its sender; the parser would fill the service's log with them.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class FormError(Exception):
    """A form that is damaged, or contains something that is not allowed. The message is a sentence without
    its full stop."""


@dataclass(frozen=True)
class FilePart:
    """A part of the form: its name, the sender's file name ("" for a text), and its path."""

    part: str
    name: str
    path: Path


async def read_files(
    content_type: str, body: AsyncIterator[bytes], folder: Path, most: int, texts: Sequence[str] = ()
) -> list[FilePart]:
    """Write the files of a form into `folder`, which must be empty; and the parts in `texts`, which need no
    file name.

    Raises FormError, OSError, and what `body` raises; the caller removes what was written by then.
    """
    try:
        form = _Form(content_type, folder, most, texts)
    except FormParserError:
        raise FormError("The form's type is damaged") from None
    try:
        async for chunk in body:
            form.parse(chunk)
            if form.waiting_bytes >= MIB:
                await run_in_threadpool(form.write)
        await run_in_threadpool(form.finish)
    except FormParserError:
        raise FormError("The form is damaged") from None
    finally:
        form.close()
    if not form.is_whole:
        raise FormError("The form ends in the middle of a part")
    return form.files


class _Form:
    """What the parser has found so far. It is called on the event loop; files are written in a thread."""

    def __init__(self, content_type: str, folder: Path, most: int, texts: Sequence[str]) -> None:
        _, options = parse_options_header(content_type)
        if b"boundary" not in options:
            raise FormError("The form's type names no boundary")
        self.files: list[FilePart] = []
        self.is_whole = True
        self.waiting_bytes = 0
        self._charset = _charset_of(options)
        self._folder, self._most, self._texts = folder, most, texts
        self._headers: dict[bytes, bytes] = {}
        self._field = self._value = b""
        self._waiting: list[tuple[int, bytes]] = []
        self._open: tuple[int, BinaryIO] | None = None
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._begin,
                "on_header_field": self._read_field,
                "on_header_value": self._read_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._name,
                "on_part_data": self._take,
                "on_part_end": self._end,
            },
        )

    def parse(self, chunk: bytes) -> None:
        """Parse the next piece of the body. Raises FormParserError and FormError."""
        self._parser.write(chunk)

    def write(self) -> None:
        """Write the waiting data."""
        for number, data in self._waiting:
            if self._open is None or self._open[0] != number:
                self.close(flush=True)
                self._open = number, self.files[number].path.open("xb")
            self._open[1].write(data)
        self._waiting.clear()
        self.waiting_bytes = 0

    def finish(self) -> None:
        """Write the rest, and flush all to the disk."""
        self.write()
        self.close(flush=True)

    def close(self, flush: bool = False) -> None:
        """Close the open file; with `flush`, flush it first."""
        if self._open is None:
            return
        _, file = self._open
        self._open = None
        with file:
            if flush:
                file.flush()
                os.fsync(file.fileno())

    def _begin(self) -> None:
        self._headers, self.is_whole = {}, False

    def _read_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _read_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _name(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise FormError("A part of the form has no name")
        part = self._text(options[b"name"])
        if b"filename" not in options and part not in self._texts:
            raise FormError(f"The part {part!r} is not a file")
        if len(self.files) >= self._most:
            raise FormError(f"Too many files: the form may hold {self._most}")
        number = len(self.files)
        name = self._text(options.get(b"filename", b""))
        self.files.append(FilePart(part, name, self._folder / str(number)))
        # An empty file is a file, too.
        self._waiting.append((number, b""))

    def _take(self, data: bytes, start: int, end: int) -> None:
        self._waiting.append((len(self.files) - 1, data[start:end]))
        self.waiting_bytes += end - start

    def _end(self) -> None:
        self.is_whole = True

    def _text(self, name: bytes) -> str:
        try:
            text = name.decode(self._charset)
            # Some texts can be decoded but not encoded, such as half of a surrogate pair.
            text.encode()
        except UnicodeDecodeError:
            return name.decode("latin-1")
        except (LookupError, UnicodeError):
            # Codecs that return no text, or raise other errors.
            raise FormError(f"The form's charset {self._charset!r} does not fit its names") from None
        return text


def _charset_of(options: dict[bytes, bytes]) -> str:
    try:
        return codecs.lookup(options.get(b"charset", b"utf-8").decode("latin-1")).name
    except (LookupError, ValueError):
        return "latin-1"

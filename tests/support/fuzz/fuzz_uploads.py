"""Kinds of damaged input that are uploaded: zips, and forms as they stand in the body of a request."""

import asyncio
import io
import itertools
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI
from fuzz_kind import FuzzKind
from starlette.requests import Request
from starlette.types import Message

from service.host.errors import ServiceError
from service.interactive.unzip.unzip import ZipLimits, stated_bytes, unpack
from service.settings import Settings
from service.web.problem_answers import problem_of
from service.web.services import AppState
from service.web.upload.upload import receive

ZIP_TOKENS = (
    *(b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08", b"../"),
    *(b"\x01\x00\x10\x00", b"\x75\x70", b"/", b"\\", b"\0", b"\xff\xff\xff\xff", b"\xc3\x28", b"C:"),
)

FORM_TOKENS = (
    *(
        b"--b",
        b"--b--",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b'name="',
        b'filename="',
        b'"',
        b"name*=",
        b"filename*=",
    ),
    *(b"UTF-8''%e2%82%ac", b"Content-Disposition: form-data; ", b"Content-Type: text/plain", b"; charset="),
    *(b"utf-16", b"idna", b"rot13", b"boundary=", b"mesh_axes", b"target", b"file", b"names", b"ct", b"\0"),
    *(b"Content-Transfer-Encoding: base64", b"../", b"\xff", b"PK\x03\x04", b";", b"=", b"\\"),
)

PIECES = (1, 7, 64, 4096)
"""Sizes of the pieces in which a form arrives, over and over."""


def _zip(folder: str = "", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name in ("body.nii", "hea\u00e4rt.nii"):
            archive.writestr(f"{folder}{name}", name.encode() * 20)
        archive.writestr("__MACOSX/._body.nii", b"x")
    return packed.getvalue()


def _zips(folder: Path) -> list[Path]:
    files = [folder / "packed.zip", folder / "stored.zip"]
    files[0].write_bytes(_zip("patient 1/masks/"))
    files[1].write_bytes(_zip(method=zipfile.ZIP_STORED))
    return files


def _forms(folder: Path) -> list[Path]:
    """A line for the form's type, as the request's header states it, and the body."""
    sent = [
        [
            ("file", ("labels.nii.gz", b"labels")),
            ("names", ("labels.json", b"{}")),
            ("target", ("\u00e4.nii", b"t" * 100)),
            ("mesh_axes", (None, b"ras")),
        ],
        [("file", ("masks.zip", _zip())), ("ct", ("ct.nii", b""))],
    ]
    files = []
    for n, parts in enumerate(sent):
        request = httpx.Request("POST", "http://x", files=parts, headers={"Content-Type": _TYPE})
        files.append(folder / f"{n}.form")
        files[-1].write_bytes(_TYPE.encode() + b"\n" + request.read())
    return files


_TYPE = "multipart/form-data; boundary=b"


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    folder = path.with_suffix(".unpacked")
    folder.mkdir()
    try:
        yield folder
        _refuse_outside(folder)
    finally:
        shutil.rmtree(folder)


def _refuse_outside(folder: Path) -> None:
    """Raise AssertionError for anything but the folder beside the files: a name led out of it."""
    suffixes = {path.suffix for path in folder.parent.iterdir()}
    assert suffixes <= {".zip", ".form", ".unpacked"}, suffixes


def _unpacked(path: Path) -> object:
    with _new_folder(path) as folder:
        limits = ZipLimits.of(Settings())
        stated = stated_bytes(path, limits)
        assert unpack(path, folder, limits) <= stated
        return None


def _received(path: Path) -> object:
    type_, _, body = path.read_bytes().partition(b"\n")

    def messages() -> Iterator[Message]:
        at = 0
        for size in itertools.cycle(PIECES):
            piece, at = body[at : at + size], at + size
            yield {"type": "http.request", "body": piece, "more_body": at < len(body)}

    arriving = messages()

    async def arrive() -> Message:
        return next(arriving)

    with _new_folder(path) as folder:
        settings = Settings(data_dir=folder)
        scope = {
            "type": "http",
            "method": "POST",
            "headers": [(b"content-type", type_)],
            "app": _app(settings),
        }

        async def unpack_here(archive: Path, into: Path) -> None:
            unpack(archive, into, ZipLimits.of(settings))

        return asyncio.run(receive(Request(scope, arrive), folder, settings, lambda count: None, unpack_here))


def _app(settings: Settings) -> FastAPI:
    """As much of a service as an upload asks for: its settings."""
    state = object.__new__(AppState)
    object.__setattr__(state, "settings", settings)
    app = FastAPI()
    app.state.service = state
    return app


def _told(refused: Exception) -> Sequence[str]:
    assert isinstance(refused, ServiceError)
    return (problem_of(refused).report.detail,)


UPLOAD_KINDS: dict[str, FuzzKind] = {
    "zip": FuzzKind(_zips, _unpacked, ZIP_TOKENS, (ServiceError,), said=_told),
    "form": FuzzKind(_forms, _received, FORM_TOKENS, (ServiceError,), said=_told),
}

"""Upload: a multipart form to the files of a case, within limits.

file    the input: a NIfTI label map, .seg.nrrd, a surface, or a zip of masks or surfaces
names   labels.json, where the label map has no names of its own
target  a target mask or surface; may be repeated
ct      the CT on the same grid
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from anatomy.suggest import nearest
from service.case_content import PARTS, StoredFile, sha256_of
from service.form import FilePart, FormError, read_files
from service.names import refuse_bad_name
from service.problems import of_part, problem
from service.routes.body import chunks
from service.settings import MIB, Settings
from service.strict_json import FieldError
from service.unpack import is_zip, unpack

REPEATABLE = ("target",)


Take = Callable[[int], None]
"""Counts bytes of an owner as they come in, or go again (below 0). Raises Problem where they are too many."""


async def receive(
    request: Request, folder: Path, settings: Settings, take: Take
) -> tuple[list[StoredFile], bool]:
    """Write the form's files into `folder`. Returns them, and whether the input is a folder of files.

    Raises Problem for a form that is damaged, too large, or has unknown, missing or repeated parts.
    """
    stated = request.headers.get("content-length", "0")
    if stated.isdigit() and int(stated) > settings.max_upload_bytes:
        raise _too_large(settings)
    arrived = folder / "arrived"
    arrived.mkdir()
    content_type, most = request.headers["content-type"], settings.max_targets + 3
    try:
        files = await read_files(content_type, _counted(request, settings, take), arrived, most)
    except FormError as error:
        detail = f"{error}. Parts, all files: {', '.join(PARTS)}."
        raise problem("malformed-upload", detail, (FieldError("", detail),)) from None
    except ClientDisconnect:
        raise problem("malformed-upload", "The upload broke off. Send it again.") from None
    _refuse_wrong_parts([file.part for file in files])
    return await run_in_threadpool(_keep, files, folder, settings, take)


async def _counted(request: Request, settings: Settings, take: Take) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in chunks(request):
        received += len(chunk)
        if received > settings.max_upload_bytes:
            raise _too_large(settings)
        take(len(chunk))
        yield chunk


def _too_large(settings: Settings) -> Exception:
    return problem("too-large", f"The upload is larger than {settings.max_upload_bytes // MIB} MiB.")


def _refuse_wrong_parts(names: list[str]) -> None:
    for name in names:
        if name not in PARTS:
            raise of_part("malformed-upload", name, f"Unknown part {name!r}. {nearest(name, PARTS)}")
        if name not in REPEATABLE and names.count(name) > 1:
            raise of_part("malformed-upload", name, f"The part {name!r} may occur once. Send one.")
    if "file" not in names:
        raise of_part(
            "malformed-upload",
            "file",
            "The part 'file' is missing. Send the label map, masks or surfaces in it.",
        )


def _keep(
    files: list[FilePart], folder: Path, settings: Settings, take: Take
) -> tuple[list[StoredFile], bool]:
    kept: list[Path] = []
    for number, file in enumerate(files):
        refuse_bad_name(file.part, file.name)
        # A folder for each: two targets may have one file name.
        place = folder / (file.part if file.part != "target" else f"target/{number}")
        place.mkdir(parents=True)
        kept.append(file.path.rename(place / file.name))
    (folder / "arrived").rmdir()
    source = next(path for path, file in zip(kept, files, strict=True) if file.part == "file")
    zipped = is_zip(source)
    if zipped:
        (folder / "input").mkdir()
        unpack(source, folder / "input", settings, take)
        packed_bytes = source.stat().st_size
        source.unlink()
        take(-packed_bytes)
    placed = [
        (file.part, path)
        for path, file in zip(kept, files, strict=True)
        if not (zipped and file.part == "file")
    ]
    unpacked = [("file", path) for path in sorted((folder / "input").iterdir())] if zipped else []
    return [
        StoredFile(part, str(path.relative_to(folder)), sha256_of(path)) for part, path in unpacked + placed
    ], zipped

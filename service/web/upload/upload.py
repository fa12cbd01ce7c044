"""Upload: a multipart form to the files of a case, within limits.

file    the input: a NIfTI label map, .seg.nrrd, a surface, or a zip of masks or surfaces
names   labels.json, where the label map has no names of its own
target  a target mask or surface; may be repeated
ct      the CT on the same grid
mesh_axes   a text, lps or ras: the axes of surfaces whose files do not say
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from anatomy.names.did_you_mean import did_you_mean
from anatomy.readers.file_names import NIFTI_SUFFIXES
from anatomy.readers.input_kinds import is_document
from anatomy.readers.mesh.mesh_axes import SEND_AXES, MeshAxes, parse_axes
from service.interactive.unzip.file_names import refuse_bad_name
from service.interactive.unzip.task import Take
from service.interactive.unzip.unzip import is_zip
from service.operations.case_files import MESH_AXES, PARTS, StoredFile, content_of, sha256_of
from service.schemas.json.strict import FieldError
from service.settings import MIB, Settings
from service.web.http.body import chunks
from service.web.problem_answers import part_problem, problem
from service.web.upload.multipart import FilePart, FormError, read_files

REPEATABLE = ("target",)

MAX_AXES_BYTES = 100
"""Bytes of this part that are read: it should have three letters."""


Unpack = Callable[[Path, Path], Awaitable[None]]
"""Unpacks a zip into an empty folder, and counts the bytes."""


async def receive(
    request: Request, folder: Path, settings: Settings, take: Take, unpack: Unpack
) -> dict[str, Any]:
    """Write the form's files into `folder`. Returns what the case consists of.

    Raises Problem for a form that is damaged, too large, or has unknown, missing or repeated parts, and what
    `unpack` raises.
    """
    stated = request.headers.get("content-length", "0")
    if stated.isdigit() and int(stated) > settings.max_upload_bytes:
        raise _too_large(settings)
    arrived = folder / "arrived"
    arrived.mkdir()
    content_type, most = request.headers["content-type"], settings.max_targets + 4
    try:
        body = _counted(request, settings, take)
        files = await read_files(content_type, body, arrived, most, (MESH_AXES,))
    except FormError as error:
        detail = f"{error}. AppState: {', '.join(PARTS)}, which are files, and {MESH_AXES}, a text."
        raise problem("malformed-upload", detail, (FieldError("", detail),)) from None
    except ClientDisconnect:
        raise problem("malformed-upload", "The upload broke off. Send it again.") from None
    _refuse_wrong_parts([file.part for file in files])
    axes = await run_in_threadpool(_axes, files)
    parts = [file for file in files if file.part != MESH_AXES]
    paths = await run_in_threadpool(_placed, parts, folder)
    source = next(path for path, file in zip(paths, parts, strict=True) if file.part == "file")
    if await run_in_threadpool(is_zip, source):
        (folder / "input").mkdir()
        await unpack(source, folder / "input")
        await run_in_threadpool(_drop_packed, source, take)
    stored, is_folder = await run_in_threadpool(_stored, parts, paths, folder, take)
    return content_of(None, stored, is_folder, axes)


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
        known_parts = (*PARTS, MESH_AXES)
        if name not in known_parts:
            raise part_problem(
                "malformed-upload", name, f"Unknown part {name!r}. {did_you_mean(name, known_parts)}"
            )
        if name not in REPEATABLE and names.count(name) > 1:
            raise part_problem("malformed-upload", name, f"The part {name!r} may occur once. Send one.")
    if "file" not in names:
        raise part_problem(
            "malformed-upload",
            "file",
            "The part 'file' is missing. Send the label map, masks or surfaces in it.",
        )


def _axes(files: list[FilePart]) -> MeshAxes | None:
    """The axes that the form states; that part is removed."""
    for file in files:
        if file.part == MESH_AXES:
            with file.path.open("rb") as part:
                text = part.read(MAX_AXES_BYTES).decode("ascii", "replace")
            file.path.unlink()
            axes = parse_axes(text)
            if axes is None:
                detail = f"{text!a} is not supported for surfaces. {SEND_AXES}"
                raise part_problem("malformed-upload", MESH_AXES, detail)
            return axes
    return None


def _placed(files: list[FilePart], folder: Path) -> list[Path]:
    """The files, each moved to its place in the folder of a case."""
    paths: list[Path] = []
    for number, file in enumerate(files):
        refuse_bad_name(file.part, file.name)
        # A folder for each: two targets may have one file name.
        place = folder / (file.part if file.part != "target" else f"target/{number}")
        place.mkdir(parents=True)
        paths.append(file.path.rename(place / file.name))
    (folder / "arrived").rmdir()
    return paths


def _drop_packed(archive: Path, take: Take) -> None:
    packed_bytes = archive.stat().st_size
    archive.unlink()
    take(-packed_bytes)


def _stored(
    files: list[FilePart], paths: list[Path], folder: Path, take: Take
) -> tuple[list[StoredFile], bool]:
    """What the case is made of, of files in their places, and whether its input is a folder: what a zip held,
    which was unpacked into `input`."""
    unpacked = folder / "input"
    zipped = unpacked.is_dir()
    if zipped:
        unpacked_bytes = sum(path.stat().st_size for path in unpacked.iterdir())
        alone = _alone_in(unpacked)
        if alone is not None:
            take(alone.stat().st_size - unpacked_bytes)
            # Readers take such a file by itself, not as a folder of one.
            paths = [alone if file.part == "file" else path for path, file in zip(paths, files, strict=True)]
            zipped = False
    placed = [
        (file.part, path)
        for path, file in zip(paths, files, strict=True)
        if not (zipped and file.part == "file")
    ]
    inputs = [("file", path) for path in sorted(unpacked.iterdir())] if zipped else []
    return [
        StoredFile(part, str(path.relative_to(folder)), sha256_of(path)) for part, path in inputs + placed
    ], zipped


def _alone_in(folder: Path) -> Path | None:
    """The .seg.nrrd that is all of a zip but for documents, which are removed, where it would have been had
    it been sent unpacked; None where the zip holds other files.

    Raises Problem for a label map with its names.
    """
    files = sorted(folder.iterdir())
    maps = [file for file in files if file.name.lower().endswith(NIFTI_SUFFIXES)]
    tables = [file for file in files if file.suffix.lower() == ".json"]
    if len(maps) == len(tables) == 1:
        raise part_problem(
            "malformed-upload",
            "file",
            "the zip holds a label map and a table of names. Send them as two parts: "
            f"{maps[0].name} as 'file', {tables[0].name} as 'names'.",
        )
    documents = [file for file in files if is_document(file.name)]
    inputs = [file for file in files if file not in documents]
    if len(inputs) != 1 or inputs[0].suffix.lower() != ".nrrd":
        return None
    alone = inputs[0].rename(folder.parent / "file" / inputs[0].name)
    for document in documents:
        document.unlink()
    folder.rmdir()
    return alone

"""Zips made by common systems are accepted, and damaged ones are refused."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.host.errors import UnusableUpload
from service.interactive.unzip.task import bytes_of, state_zip, unpack_zip
from service.interactive.unzip.unzip import ZipLimits, stated_bytes, unpack
from service.interactive.unzip.zip_end import zip_end
from service.jobs.error_reports import report_of
from service.settings import Settings
from service.web.problem_answers import Problem
from service.web.upload.upload import _alone_in

LIMITS = ZipLimits.of(Settings())


def zipped(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def unpacked(tmp_path: Path, content: bytes) -> dict[str, bytes]:
    folder = tmp_path / "input"
    folder.mkdir()
    (tmp_path / "a.zip").write_bytes(content)
    stated_size = stated_bytes(tmp_path / "a.zip", LIMITS)
    assert unpack(tmp_path / "a.zip", folder, LIMITS) <= stated_size
    return {path.name: path.read_bytes() for path in folder.iterdir()}


MASKS = {"body.nii.gz": b"b", "heart.nii.gz": b"h"}


@pytest.mark.parametrize(
    "pattern",
    [
        "{}",
        "seg/{}",
        "patient 1/ct/segmentations/{}",
        "./{}",
        "./seg/./{}",
        "seg\\{}",
        ".\\patient\\seg\\{}",
    ],
)
def test_folders_around_all_files_are_removed(tmp_path: Path, pattern: str) -> None:
    assert (
        unpacked(tmp_path, zipped(*((pattern.format(name), content) for name, content in MASKS.items())))
        == MASKS
    )


def test_files_added_by_desktop_systems_are_ignored(tmp_path: Path) -> None:
    added = (
        "__MACOSX/seg/._body.nii.gz",
        "seg/._heart.nii.gz",
        "seg/.DS_Store",
        "Thumbs.db",
        "seg/desktop.ini",
    )
    folders = ("seg/", "empty/", "back\\")
    files = [*((f"seg/{n}", d) for n, d in MASKS.items()), *((n, b"") for n in (*added, *folders))]
    assert unpacked(tmp_path, zipped(*files)) == MASKS


def test_files_in_hidden_folders_are_ignored(tmp_path: Path) -> None:
    hidden = (".ipynb_checkpoints/body-checkpoint.nii.gz", ".git/objects/ab", "__macosx/heart.nii.gz")
    files = [*((f"seg/{n}", d) for n, d in MASKS.items()), *((f"seg/{n}", b"x") for n in hidden)]
    assert unpacked(tmp_path, zipped(*files)) == MASKS


@pytest.mark.parametrize(
    "document", ["out/statistics.json", "README.txt", "out/seg/log.csv", "out/a/b/report.PDF"]
)
def test_documents_may_lie_in_other_folders(tmp_path: Path, document: str) -> None:
    files = [(f"out/seg/{n}", d) for n, d in MASKS.items()]
    names = unpacked(tmp_path, zipped((document, b"d"), *files))
    assert names == {**MASKS, document.split("/")[-1]: b"d"}


def test_documents_may_share_a_name_and_masks_may_not(tmp_path: Path) -> None:
    files = [(f"out/{n}", d) for n, d in MASKS.items()]
    names = unpacked(tmp_path, zipped(("log.txt", b"1"), ("out/log.txt", b"2"), *files))
    assert names == {**MASKS, "log.txt": b"1"}
    for other, message in (
        ("other/heart.nii.gz", "several folders"),
        ("out/./heart.nii.gz", "two files of one"),
    ):
        folder = tmp_path / message
        folder.mkdir()
        with pytest.raises(UnusableUpload) as caught:
            unpacked(folder, zipped((other, b"h"), *files))
        assert message in report_of(caught.value).detail


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s/..", "leads out"),
        ("a: b.nii", "not a usable file name"),
        ("C:\\a.nii", "leads out"),
        ("..\\a.nii", "leads out"),
        ("s/../a.nii", "leads out"),
        ("\\a.nii", "leads out"),
    ],
)
def test_names_that_cannot_be_used_are_refused_with_the_reason(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(UnusableUpload) as caught:
        unpacked(tmp_path, zipped((name, b"a")))
    assert message in report_of(caught.value).detail


def zip_of_empty_files(count: int) -> bytearray:
    """A zip of a given number of empty files."""
    return bytearray(zipped(*((f"m{n}.nii", b"") for n in range(count))))


FEW = ZipLimits(files=3, bytes=1 << 20, growth=200.0)
"""Limits that let a directory have 1009 entries."""


def with_false_end(
    content: bytearray, entries: int | None = None, directory_bytes: int | None = None
) -> bytes:
    """The zip with a false count of entries or a false size of its directory in its end record."""
    if entries is not None:
        content[-14:-10] = struct.pack("<2H", entries, entries)
    if directory_bytes is not None:
        content[-10:-6] = struct.pack("<L", directory_bytes)
    return bytes(content)


def as_zip64(content: bytearray, entries: int, directory_bytes: int) -> bytes:
    """The zip with the end records of a zip64; the plain end record refers to them."""
    end_offset, plain_end = len(content) - 22, content[-22:]
    offset = struct.unpack("<L", plain_end[16:20])[0]
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, directory_bytes, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end_offset, 1)
    plain_end[8:20] = b"\xff" * 12
    return bytes(content[:-22] + end + locator + plain_end)


def kind_of_early_refusal(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kind of problem of a zip that is refused before its directory is read."""

    def never(*_: object) -> None:
        raise AssertionError("the directory was read")

    (tmp_path / "a.zip").write_bytes(content)
    with monkeypatch.context() as patch, pytest.raises(UnusableUpload) as caught:
        patch.setattr(zipfile, "ZipFile", never)
        stated_bytes(tmp_path / "a.zip", FEW)
    return report_of(caught.value).kind


def test_a_directory_is_counted_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = FEW.directory_bytes + 1
    assert (
        kind_of_early_refusal(tmp_path, bytes(zip_of_empty_files(FEW.entries + 1)), monkeypatch)
        == "too-large"
    )
    assert (
        kind_of_early_refusal(
            tmp_path, with_false_end(zip_of_empty_files(2), entries=FEW.entries + 1), monkeypatch
        )
        == "too-large"
    )
    assert (
        kind_of_early_refusal(
            tmp_path, with_false_end(zip_of_empty_files(2), directory_bytes=size), monkeypatch
        )
        == "too-large"
    )
    assert (
        kind_of_early_refusal(tmp_path, as_zip64(zip_of_empty_files(2), 2, size), monkeypatch) == "too-large"
    )
    assert (
        kind_of_early_refusal(tmp_path, as_zip64(zip_of_empty_files(2), 1 << 40, 90), monkeypatch)
        == "too-large"
    )
    # The last of several end records counts, as for `zipfile`, which reads the directory.
    two_ends = (
        bytes(zip_of_empty_files(2)) + with_false_end(zip_of_empty_files(2), entries=FEW.entries + 1)[-22:]
    )
    assert kind_of_early_refusal(tmp_path, two_ends, monkeypatch) == "too-large"
    assert kind_of_early_refusal(tmp_path, b"PK\3\4" + b"\0" * 100, monkeypatch) == "malformed-upload"
    assert kind_of_early_refusal(tmp_path, b"PK\5\6", monkeypatch) == "malformed-upload"


@pytest.mark.parametrize("count", [4, 900])
def test_a_false_small_count_admits_no_more_entries(tmp_path: Path, count: int) -> None:
    (tmp_path / "a.zip").write_bytes(with_false_end(zip_of_empty_files(count), entries=1))
    with pytest.raises(UnusableUpload) as caught:
        stated_bytes(tmp_path / "a.zip", FEW)
    assert report_of(caught.value).kind == "too-large"


def test_a_false_end_costs_no_more_than_an_accepted_directory(tmp_path: Path) -> None:
    """As many entries of 46 bytes without a name as fit into the largest directory."""
    entry = b"PK\1\2".ljust(46, b"\0")
    directory = entry * (FEW.directory_bytes // 46)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(directory), 4, 0)
    (tmp_path / "a.zip").write_bytes(b"PK\3\4" + directory + end)
    with pytest.raises(UnusableUpload) as caught:
        stated_bytes(tmp_path / "a.zip", FEW)
    assert report_of(caught.value).kind == "too-large"


def test_a_zip64_is_accepted(tmp_path: Path) -> None:
    content = zip_of_empty_files(2)
    size = struct.unpack("<L", content[-10:-6])[0]
    (tmp_path / "a.zip").write_bytes(as_zip64(content, 2, size))
    assert stated_bytes(tmp_path / "a.zip", FEW) == 0


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_the_end_record_is_the_one_that_zipfile_uses(before: bytes, comment: bytes) -> None:
    """With any bytes before and any comment after the zip."""
    buffer = io.BytesIO()
    buffer.write(before)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("a.nii", b"a")
        archive.comment = comment
    end_record, expected = zip_end(buffer), zipfile._EndRecData(buffer)  # type: ignore[attr-defined]
    assert (end_record is None) == (expected is None)
    if end_record is not None:
        assert (end_record.entries, end_record.directory_bytes) == (
            max(expected[3], expected[4]),
            expected[5],
        )


def test_files_of_a_stated_size_that_is_too_large_are_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(("a.nii", b"\0" * (FEW.bytes + 1))))
    (tmp_path / "input").mkdir()
    with pytest.raises(UnusableUpload) as caught:
        unpack(tmp_path / "a.zip", tmp_path / "input", FEW)
    assert report_of(caught.value).kind == "too-large" and not list((tmp_path / "input").iterdir())


def test_a_file_larger_than_its_stated_size_is_damaged(tmp_path: Path) -> None:
    content = bytearray(zipped(("a.nii", b"\0" * 100_000)))
    central = content.index(b"PK\1\2")
    for offset in (22, central + 24):
        content[offset : offset + 4] = struct.pack("<L", 10)
    with pytest.raises(UnusableUpload) as caught:
        unpacked(tmp_path, bytes(content))
    assert report_of(caught.value).kind == "malformed-upload"
    assert (tmp_path / "input" / "a.nii").stat().st_size <= 10


def patched(field: str) -> bytes:
    """A zip with an impossible value in one field of its only entry."""
    data = bytearray(zipped(("heart.nii.gz", b"h" * 99)))
    central = data.index(b"PK\1\2")
    match field:
        case "version":
            data[central + 6] = 99
        case "offset of the entry":
            data[central + 42 : central + 46] = b"\xff\xff\xff\x7f"
        case "place of the directory":
            data[-6:-2] = b"\xff\xff\xff\x7f"
        case "name in the directory":
            data[central + 9] |= 8
            data[central + 46] = 0xFF
        case "name before the data":
            data[7] |= 8
            data[30] = 0xFF
        case "length of the name":
            data[central + 28 : central + 30] = b"\0\0"
    return bytes(data)


@pytest.mark.parametrize(
    "field",
    [
        "version",
        "offset of the entry",
        "place of the directory",
        "name in the directory",
        "name before the data",
        "length of the name",
    ],
)
def test_a_damaged_zip_is_refused(tmp_path: Path, field: str) -> None:
    with pytest.raises(UnusableUpload) as caught:
        unpacked(tmp_path, patched(field))
    assert report_of(caught.value).kind == "malformed-upload"


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=5))
def test_any_damage_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, patches: list[tuple[float, bytes]]
) -> None:
    content = bytearray(zipped(("s/heart.nii.gz", b"h" * 99), ("s/body.nii.gz", b"b")))
    for position, patch in patches:
        offset = int(position * (len(content) - 1))
        content[offset : offset + len(patch)] = patch
    try:
        unpacked(tmp_path_factory.mktemp("zip"), bytes(content))
    except UnusableUpload as error:
        assert report_of(error).kind in ("malformed-upload", "too-large")


def test_a_full_disk_is_not_reported_as_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, mode: str = "r") -> io.BytesIO:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    (tmp_path / "input").mkdir()
    buffer = io.BytesIO(zipped(("heart.nii.gz", b"h")))
    archive = tmp_path / "a.zip"
    with open(archive, "wb") as file:
        file.write(buffer.getvalue())
    with pytest.raises(OSError, match="No space"):
        unpack(archive, tmp_path / "input", LIMITS)


def test_a_zip_of_one_seg_nrrd_is_a_file_and_one_of_a_map_with_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    unpacked(tmp_path, zipped(("x.seg.nrrd", b"NRRD")))
    assert _alone_in(tmp_path / "input") == tmp_path / "file" / "x.seg.nrrd"
    unpacked(tmp_path, zipped(("seg/y.seg.nrrd", b"NRRD"), ("README.txt", b"r")))
    assert _alone_in(tmp_path / "input") == tmp_path / "file" / "y.seg.nrrd"
    assert not (tmp_path / "input").exists()
    unpacked(tmp_path, zipped(("labels.nii.gz", b"n"), ("labels.json", b"{}")))
    with pytest.raises(Problem) as caught:
        _alone_in(tmp_path / "input")
    assert "two parts: labels.nii.gz as 'file', labels.json as 'names'" in caught.value.report.detail


def test_files_left_by_a_lost_process_are_unpacked_again(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(("a.nii", b"whole"), ("b.nii", b"b")))
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "a.nii").write_bytes(b"ha")
    assert unpack_zip(lambda _: None, tmp_path / "a.zip", tmp_path / "input", LIMITS) == 6
    assert (tmp_path / "input" / "a.nii").read_bytes() == b"whole"


def test_errors_of_an_upload_are_returned_as_values(tmp_path: Path) -> None:
    """A sandbox passes on only exceptions of inputs."""
    (tmp_path / "a.zip").write_bytes(zipped(("a.nii", b"a"))[:-5])
    (tmp_path / "input").mkdir()
    for outcome in (
        state_zip(lambda _: None, tmp_path / "a.zip", LIMITS),
        unpack_zip(lambda _: None, tmp_path / "a.zip", tmp_path / "input", LIMITS),
    ):
        with pytest.raises(UnusableUpload) as caught:
            bytes_of(outcome)
        assert report_of(caught.value).kind == "malformed-upload"
    with pytest.raises(FileNotFoundError):
        bytes_of(unpack_zip(lambda _: None, tmp_path / "a.zip", tmp_path / "nowhere", LIMITS))

"""Zips as users' systems make them are taken, and damaged ones are refused as such."""

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
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


def unpacked(tmp_path: Path, content: bytes) -> dict[str, bytes]:
    folder = tmp_path / "input"
    folder.mkdir()
    (tmp_path / "a.zip").write_bytes(content)
    stated = stated_bytes(tmp_path / "a.zip", LIMITS)
    assert unpack(tmp_path / "a.zip", folder, LIMITS) <= stated
    return {path.name: path.read_bytes() for path in folder.iterdir()}


MASKS = {"body.nii.gz": b"b", "heart.nii.gz": b"h"}


@pytest.mark.parametrize(
    "written",
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
def test_folders_around_all_files_are_taken_off(tmp_path: Path, written: str) -> None:
    assert unpacked(tmp_path, zipped(*((written.format(n), d) for n, d in MASKS.items()))) == MASKS


def test_what_desktop_systems_add_is_passed_over(tmp_path: Path) -> None:
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


def test_what_lies_in_hidden_folders_is_passed_over(tmp_path: Path) -> None:
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


def test_documents_of_one_name_are_no_contradiction_and_masks_are(tmp_path: Path) -> None:
    files = [(f"out/{n}", d) for n, d in MASKS.items()]
    names = unpacked(tmp_path, zipped(("log.txt", b"1"), ("out/log.txt", b"2"), *files))
    assert names == {**MASKS, "log.txt": b"1"}
    for other, message in (
        ("other/heart.nii.gz", "several folders"),
        ("out/./heart.nii.gz", "two files of one"),
    ):
        folder = tmp_path / message
        folder.mkdir()
        with pytest.raises(UnusableUpload) as refused:
            unpacked(folder, zipped((other, b"h"), *files))
        assert message in report_of(refused.value).detail


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
    with pytest.raises(UnusableUpload) as refused:
        unpacked(tmp_path, zipped((name, b"a")))
    assert message in report_of(refused.value).detail


def many(count: int) -> bytearray:
    """A zip of so many empty files."""
    return bytearray(zipped(*((f"m{n}.nii", b"") for n in range(count))))


FEW = ZipLimits(files=3, bytes=1 << 20, growth=200.0)
"""Limits that let a directory have 1009 entries."""


def lying(content: bytearray, entries: int | None = None, directory_bytes: int | None = None) -> bytes:
    """The zip with another count of entries, or size of its directory, in its end."""
    if entries is not None:
        content[-14:-10] = struct.pack("<2H", entries, entries)
    if directory_bytes is not None:
        content[-10:-6] = struct.pack("<L", directory_bytes)
    return bytes(content)


def with_64(content: bytearray, entries: int, directory_bytes: int) -> bytes:
    """The zip with the ends of a zip64, of which the plain one gives its numbers up."""
    at, plain = len(content) - 22, content[-22:]
    offset = struct.unpack("<L", plain[16:20])[0]
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, directory_bytes, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    plain[8:20] = b"\xff" * 12
    return bytes(content[:-22] + end + locator + plain)


def refused_by_end(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    """Why a zip is refused before its directory is read."""

    def never(*_: object) -> None:
        raise AssertionError("the directory was read")

    (tmp_path / "a.zip").write_bytes(content)
    with monkeypatch.context() as patch, pytest.raises(UnusableUpload) as refused:
        patch.setattr(zipfile, "ZipFile", never)
        stated_bytes(tmp_path / "a.zip", FEW)
    return report_of(refused.value).kind


def test_a_directory_is_counted_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = FEW.directory_bytes + 1
    assert refused_by_end(tmp_path, bytes(many(FEW.entries + 1)), monkeypatch) == "too-large"
    assert refused_by_end(tmp_path, lying(many(2), entries=FEW.entries + 1), monkeypatch) == "too-large"
    assert refused_by_end(tmp_path, lying(many(2), directory_bytes=size), monkeypatch) == "too-large"
    assert refused_by_end(tmp_path, with_64(many(2), 2, size), monkeypatch) == "too-large"
    assert refused_by_end(tmp_path, with_64(many(2), 1 << 40, 90), monkeypatch) == "too-large"
    # The last of several ends counts, as it does for who reads the directory.
    two = bytes(many(2)) + lying(many(2), entries=FEW.entries + 1)[-22:]
    assert refused_by_end(tmp_path, two, monkeypatch) == "too-large"
    assert refused_by_end(tmp_path, b"PK\3\4" + b"\0" * 100, monkeypatch) == "malformed-upload"
    assert refused_by_end(tmp_path, b"PK\5\6", monkeypatch) == "malformed-upload"


@pytest.mark.parametrize("count", [4, 900])
def test_a_count_that_is_too_small_admits_no_more(tmp_path: Path, count: int) -> None:
    (tmp_path / "a.zip").write_bytes(lying(many(count), entries=1))
    with pytest.raises(UnusableUpload) as refused:
        stated_bytes(tmp_path / "a.zip", FEW)
    assert report_of(refused.value).kind == "too-large"


def test_a_lie_in_both_numbers_costs_no_more_than_a_directory_that_is_taken(tmp_path: Path) -> None:
    """Entries of 46 bytes and no name: as many as the bytes of a directory hold."""
    entry = b"PK\1\2".ljust(46, b"\0")
    directory = entry * (FEW.directory_bytes // 46)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(directory), 4, 0)
    (tmp_path / "a.zip").write_bytes(b"PK\3\4" + directory + end)
    with pytest.raises(UnusableUpload) as refused:
        stated_bytes(tmp_path / "a.zip", FEW)
    assert report_of(refused.value).kind == "too-large"


def test_a_zip64_is_taken(tmp_path: Path) -> None:
    plain = many(2)
    size = struct.unpack("<L", plain[-10:-6])[0]
    (tmp_path / "a.zip").write_bytes(with_64(plain, 2, size))
    assert stated_bytes(tmp_path / "a.zip", FEW) == 0


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_the_end_is_the_one_that_is_read_by(before: bytes, comment: bytes) -> None:
    """As `zipfile` finds it, of any bytes around."""
    whole = io.BytesIO()
    whole.write(before)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("a.nii", b"a")
        archive.comment = comment
    end_record, known = zip_end(whole), zipfile._EndRecData(whole)  # type: ignore[attr-defined]
    assert (end_record is None) == (known is None)
    if end_record is not None:
        assert (end_record.entries, end_record.directory_bytes) == (max(known[3], known[4]), known[5])


def test_files_of_a_stated_size_that_is_too_large_are_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(("a.nii", b"\0" * (FEW.bytes + 1))))
    (tmp_path / "input").mkdir()
    with pytest.raises(UnusableUpload) as refused:
        unpack(tmp_path / "a.zip", tmp_path / "input", FEW)
    assert report_of(refused.value).kind == "too-large" and not list((tmp_path / "input").iterdir())


def test_a_file_that_says_to_be_smaller_than_it_is_is_damaged(tmp_path: Path) -> None:
    content = bytearray(zipped(("a.nii", b"\0" * 100_000)))
    central = content.index(b"PK\1\2")
    for at in (22, central + 24):
        content[at : at + 4] = struct.pack("<L", 10)
    with pytest.raises(UnusableUpload) as refused:
        unpacked(tmp_path, bytes(content))
    assert report_of(refused.value).kind == "malformed-upload"
    assert (tmp_path / "input" / "a.nii").stat().st_size <= 10


def patched(field: str) -> bytes:
    """A zip whose one entry, in the directory at its end or before its data, says what cannot be."""
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
    with pytest.raises(UnusableUpload) as refused:
        unpacked(tmp_path, patched(field))
    assert report_of(refused.value).kind == "malformed-upload"


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=5))
def test_any_damage_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, patches: list[tuple[float, bytes]]
) -> None:
    content = bytearray(zipped(("s/heart.nii.gz", b"h" * 99), ("s/body.nii.gz", b"b")))
    for where, patch in patches:
        at = int(where * (len(content) - 1))
        content[at : at + len(patch)] = patch
    try:
        unpacked(tmp_path_factory.mktemp("zip"), bytes(content))
    except UnusableUpload as refused:
        assert report_of(refused).kind in ("malformed-upload", "too-large")


def test_a_disk_that_is_full_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, mode: str = "r") -> io.BytesIO:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    (tmp_path / "input").mkdir()
    packed = io.BytesIO(zipped(("heart.nii.gz", b"h")))
    archive = tmp_path / "a.zip"
    with open(archive, "wb") as file:
        file.write(packed.getvalue())
    with pytest.raises(OSError, match="No space"):
        unpack(archive, tmp_path / "input", LIMITS)


def test_a_seg_nrrd_alone_is_no_folder_and_a_map_with_names_is_two_parts(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    unpacked(tmp_path, zipped(("x.seg.nrrd", b"NRRD")))
    assert _alone_in(tmp_path / "input") == tmp_path / "file" / "x.seg.nrrd"
    unpacked(tmp_path, zipped(("seg/y.seg.nrrd", b"NRRD"), ("README.txt", b"r")))
    assert _alone_in(tmp_path / "input") == tmp_path / "file" / "y.seg.nrrd"
    assert not (tmp_path / "input").exists()
    unpacked(tmp_path, zipped(("labels.nii.gz", b"n"), ("labels.json", b"{}")))
    with pytest.raises(Problem) as refused:
        _alone_in(tmp_path / "input")
    assert "two parts: labels.nii.gz as 'file', labels.json as 'names'" in refused.value.report.detail


def test_what_a_lost_process_left_is_unpacked_again(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(("a.nii", b"whole"), ("b.nii", b"b")))
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "a.nii").write_bytes(b"ha")
    assert unpack_zip(lambda _: None, tmp_path / "a.zip", tmp_path / "input", LIMITS) == 6
    assert (tmp_path / "input" / "a.nii").read_bytes() == b"whole"


def test_what_is_wrong_comes_back_as_a_value(tmp_path: Path) -> None:
    """A sandbox hands on no exception but those of inputs."""
    (tmp_path / "a.zip").write_bytes(zipped(("a.nii", b"a"))[:-5])
    (tmp_path / "input").mkdir()
    for outcome in (
        state_zip(lambda _: None, tmp_path / "a.zip", LIMITS),
        unpack_zip(lambda _: None, tmp_path / "a.zip", tmp_path / "input", LIMITS),
    ):
        with pytest.raises(UnusableUpload) as refused:
            bytes_of(outcome)
        assert report_of(refused.value).kind == "malformed-upload"
    with pytest.raises(FileNotFoundError):
        bytes_of(unpack_zip(lambda _: None, tmp_path / "a.zip", tmp_path / "nowhere", LIMITS))

"""The axes of a mesh file's numbers: the file's statement, the request, and refusals."""

import argparse
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from phantom import write_phantom

from anatomy.errors import FrameMismatch, ReadError
from anatomy.readers.mesh.mesh_axes import MeshAxes, parse_axes, resolve_axes, stated_axes
from anatomy.readers.read import read
from anatomy.structures import InputDigest
from service.cli import exit_status
from service.cli import main as cli
from service.cli.arguments import add_mesh_axes
from service.host.errors import BadFile
from service.operations.case import Case
from service.operations.input_matching import refuse_left_out
from service.operations.open_case import open_case
from service.settings import Settings
from service.study.cohort import Shared, cohort
from service.web.app import create_app
from service.web.server import serve_in_background

RAS, LPS = MeshAxes.RAS, MeshAxes.LPS

HEART_P = (20.0, -10.0, 5.0)

TURN = np.diag([-1.0, -1.0, 1.0, 1.0])

KINDS = ("stl", "stl_ascii", "obj", "ply", "ply_ascii")


def mesh(kind: str, statement: str | None, axes: MeshAxes, radius: float = 40.0) -> bytes:
    """A ball around HEART_P in a file of this kind, with numbers in `axes` and the comment `statement`."""
    ball = trimesh.creation.icosphere(subdivisions=2, radius=radius).apply_translation(HEART_P)
    if axes is RAS:
        ball.apply_transform(TURN)
    comment = b"" if statement is None else statement.encode()
    if kind == "stl":
        return comment.ljust(80, b"\0") + ball.export(file_type="stl")[80:]
    if kind == "stl_ascii":
        return b"solid " + comment + b"\n" + ball.export(file_type="stl_ascii").encode().partition(b"\n")[2]
    if kind == "obj":
        return b"# " + comment + b"\n" + ball.export(file_type="obj", header="").encode()
    encoding = "ascii" if kind == "ply_ascii" else "binary"
    content = ball.export(file_type="ply", encoding=encoding)
    head, _, tail = content.partition(b"\nelement vertex")
    return head + b"\ncomment " + comment + b"\nelement vertex" + tail


def write(path: Path, kind: str, statement: str | None, axes: MeshAxes, radius: float = 40.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.with_suffix("." + kind.partition("_")[0])
    path.write_bytes(mesh(kind, statement, axes, radius))
    return path


def middle_P(case: Path, structure: str = "heart", **options: object) -> np.ndarray:
    segmentation, _ = read(case, **options)  # type: ignore[arg-type]
    surface = next(s.surface for s in segmentation.structures if s.name == structure)
    assert surface is not None
    return np.asarray(surface.vertices_P.mean(axis=0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "statement",
    [
        "3D Slicer output. SPACE=RAS",
        "space = ras",
        "Space:RAS;UNITS=mm",
        "SPACE='RAS'",
        "COORDINATE_SYSTEM=RAS",
        "coordinate system: right-anterior-superior",
    ],
)
def test_a_file_that_states_ras_is_read_as_ras(tmp_path: Path, kind: str, statement: str) -> None:
    file = write(tmp_path / "heart", kind, statement, RAS)
    assert middle_P(file) == pytest.approx(HEART_P, abs=1e-4)
    segmentation, _ = read(file)
    assert segmentation.notes == (f"Surfaces read as RAS, as their files say: {file.name}.",)
    assert segmentation.inputs[0].axes == "ras"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_states_lps_or_nothing_is_read_as_lps(tmp_path: Path, kind: str) -> None:
    stating = write(tmp_path / "says" / "heart", kind, "SPACE=LPS", LPS)
    without_statement = write(tmp_path / "silent" / "heart", kind, "color space = RGB, namespace=ras", LPS)
    assert middle_P(stating) == pytest.approx(HEART_P, abs=1e-4)
    assert middle_P(without_statement) == pytest.approx(HEART_P, abs=1e-4)
    assert read(stating)[0].notes == (f"Surfaces read as LPS, as their files say: {stating.name}.",)
    (note,) = read(without_statement)[0].notes
    assert "because nothing says otherwise" in note and "180 degrees" in note


@pytest.mark.parametrize("kind", KINDS)
def test_requested_axes_apply_to_files_without_a_statement(tmp_path: Path, kind: str) -> None:
    file = write(tmp_path / "heart", kind, None, RAS)
    assert middle_P(file, mesh_axes=RAS) == pytest.approx(HEART_P, abs=1e-4)
    assert read(file, mesh_axes=RAS)[0].notes == (f"Surfaces read as RAS, as requested: {file.name}.",)


@pytest.mark.parametrize("kind", KINDS)
def test_requested_axes_do_not_override_a_file(tmp_path: Path, kind: str) -> None:
    file = write(tmp_path / "heart", kind, "SPACE=RAS", RAS)
    with pytest.raises(FrameMismatch, match="SPACE=RAS, but LPS is requested") as error:
        read(file, mesh_axes=LPS)
    assert error.value.field == file.name
    assert middle_P(file, mesh_axes=RAS) == pytest.approx(HEART_P, abs=1e-4)


def test_files_of_a_folder_are_each_read_by_their_own_statement(tmp_path: Path) -> None:
    write(tmp_path / "f" / "heart", "stl", "SPACE=RAS", RAS)
    write(tmp_path / "f" / "body", "ply", "SPACE=LPS", LPS, radius=90.0)
    assert middle_P(tmp_path / "f", "heart") == pytest.approx(HEART_P, abs=1e-4)
    assert middle_P(tmp_path / "f", "body") == pytest.approx(HEART_P, abs=1e-4)
    assert read(tmp_path / "f")[0].notes == (
        "Surfaces read as LPS, as their files say: body.ply.",
        "Surfaces read as RAS, as their files say: heart.stl.",
    )


@pytest.mark.parametrize("as_target", [False, True])
def test_a_file_without_a_statement_beside_one_in_ras_is_refused(tmp_path: Path, as_target: bool) -> None:
    write(tmp_path / "f" / "body", "stl", "SPACE=RAS", RAS, radius=90.0)
    without_statement = write(tmp_path / ("t" if as_target else "f") / "gtv", "obj", None, RAS, radius=10.0)
    targets = [without_statement] if as_target else []
    with pytest.raises(FrameMismatch, match=r"does not say .* body.stl says RAS"):
        read(tmp_path / "f", targets=targets)
    assert middle_P(tmp_path / "f", "gtv", targets=targets, mesh_axes=RAS) == pytest.approx(HEART_P, abs=1e-4)


def test_requested_axes_need_surfaces(tmp_path: Path) -> None:
    write_phantom(tmp_path)
    with pytest.raises(ReadError, match="no surface"):
        read(tmp_path / "labels.nii.gz", names=tmp_path / "labels.json", mesh_axes=RAS)
    with pytest.raises(ReadError, match="no surface"):
        open_case(Case("thorax", mesh_axes=RAS))


@pytest.mark.parametrize("kind", KINDS)
def test_contradictory_or_unsupported_statements_are_refused(kind: str) -> None:
    suffix = kind.partition("_")[0]
    with pytest.raises(ReadError, match="both"):
        stated_axes("a", suffix, mesh(kind, "SPACE=RAS SPACE=LPS", RAS))
    with pytest.raises(ReadError, match="LAS"):
        stated_axes("a", suffix, mesh(kind, "SPACE=LAS", RAS))


def test_only_free_text_states_axes() -> None:
    assert stated_axes("a", "stl", b"x" * 80 + b"\0\0\0\0SPACE=RAS") is None
    assert stated_axes("a", "ply", b"ply\nelement SPACE=RAS 1\nend_header\ncomment SPACE=RAS\n") is None
    assert stated_axes("a", "ply", b"ply\r\nobj_info SPACE=RAS\r\nend_header\r\n") is RAS
    assert stated_axes("a", "obj", b"o SPACE=LPS\nv 1 2 3 # SPACE=RAS\n") is RAS


@given(st.binary(max_size=400), st.sampled_from(["stl", "obj", "ply"]))
def test_any_bytes_state_axes_or_none(content: bytes, kind: str) -> None:
    assert stated_axes("a", kind, content) in (None, LPS, RAS)


@given(
    st.dictionaries(st.integers(0, 30), st.sampled_from([None, LPS, RAS])), st.sampled_from([None, *MeshAxes])
)
def test_no_file_is_read_against_its_statement_or_the_request(
    stated: dict[int, MeshAxes | None], requested: MeshAxes | None
) -> None:
    files = {Path(f"{n}.stl"): axes for n, axes in stated.items()}
    try:
        axes, notes = resolve_axes(files, requested)
    except FrameMismatch:
        assert RAS in files.values() if requested is None else len({*files.values(), requested} - {None}) == 2
        return
    assert set(axes) == set(files) and bool(notes) == bool(files)
    assert all(
        axes[file] is (stated_axes_of_file or requested or LPS) for file, stated_axes_of_file in files.items()
    )


def test_a_plan_is_not_compared_with_surfaces_in_other_axes() -> None:
    inputs = [InputDigest("heart.stl", "a", "ras")]
    refuse_left_out(inputs, inputs, ())
    with pytest.raises(ReadError, match=r"in RAS, and it is read as LPS. Give mesh_axes ras"):
        refuse_left_out(inputs, [InputDigest("heart.stl", "a", "lps")], ())


def test_axes_of_a_cohort(tmp_path: Path) -> None:
    write(tmp_path / "p1" / "heart", "stl", None, RAS)
    write_phantom(tmp_path)
    labels, names = str(tmp_path / "labels.nii.gz"), tmp_path / "labels.json"
    members = cohort([labels, str(tmp_path / "p1")], Shared(names, mesh_axes=RAS))
    assert {m.name: m.case.mesh_axes for m in members} == {"labels": None, "p1": RAS}
    table = tmp_path / "cohort.csv"
    table.write_text("input,mesh_axes\np1,RAS\n")
    assert cohort([str(table)], Shared(mesh_axes=LPS))[0].case.mesh_axes is RAS
    table.write_text("input,mesh_axes\np1,las\n")
    with pytest.raises(BadFile, match="'las'"):
        cohort([str(table)], Shared())


def test_the_command_line_takes_axes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "heart", "stl", "SPACE=RAS", RAS)
    assert cli.main(["plan", str(file), "--mesh-axes", "lps"]) == exit_status.BAD_INPUT
    message = capsys.readouterr().err
    assert "SPACE=RAS, but LPS is requested" in message and "Leave --mesh-axes out" in message


@pytest.mark.parametrize(("text", "axes"), [("RAS", "ras"), (" Lps\n", "lps"), ("las", None), ("", None)])
def test_requested_axes_are_parsed_in_one_way(
    text: str, axes: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse_axes(text) == axes
    parser = argparse.ArgumentParser()
    add_mesh_axes(parser)
    if axes is not None:
        assert parser.parse_args(["--mesh-axes", text]).mesh_axes is MeshAxes(axes)
        return
    with pytest.raises(SystemExit):
        parser.parse_args(["--mesh-axes", text])
    assert f"{text!a} is not supported for surfaces. Send lps or ras." in capsys.readouterr().err


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("data")))
    with (
        serve_in_background(app) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=60.0) as client,
    ):
        yield client


def zipped(statement: str | None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("body.stl", mesh("stl", statement, RAS, radius=90.0))
        archive.writestr("heart.stl", mesh("stl", statement, RAS))
    return buffer.getvalue()


def test_an_upload_states_its_axes_and_other_axes_give_another_case(client: httpx.Client) -> None:
    files = {"file": ("x.zip", zipped(None))}
    without_axes = client.post("/v1/cases", files=files).json()
    ras = client.post("/v1/cases", files=files, data={"mesh_axes": "RAS\n"}).json()
    assert without_axes["id"] != ras["id"]
    assert [[i["axes"] for i in created["inputs"]] for created in (without_axes, ras)] == [
        ["lps"] * 2,
        ["ras"] * 2,
    ]
    assert "as requested" in ras["notes"][0]
    # The stored case has the uploaded axes too.
    shapes = client.get(f"/v1/cases/{ras['id']}/shapes").json()["shapes"]
    heart = next(s for s in shapes if s["structure"] == "heart")
    assert np.mean(heart["vertices_mm"], axis=0) == pytest.approx(HEART_P, abs=0.1)


def test_an_upload_with_unusable_axes_is_refused(client: httpx.Client) -> None:
    files = {"file": ("x.zip", zipped("SPACE=RAS"))}
    unknown_axes = client.post("/v1/cases", files=files, data={"mesh_axes": "lsp"})
    assert unknown_axes.status_code == 400 and unknown_axes.json()["errors"][0]["pointer"] == "/mesh_axes"
    contradicting_axes = client.post("/v1/cases", files=files, data={"mesh_axes": "lps"})
    assert contradicting_axes.status_code == 422 and "the part 'mesh_axes'" in json.dumps(
        contradicting_axes.json()
    )
    repeated_field = [("mesh_axes", (None, b"ras")), ("mesh_axes", (None, b"ras"))]
    assert client.post("/v1/cases", files=[*files.items(), *repeated_field]).status_code == 400


@pytest.mark.parametrize("number", ["1e309", "nan", "9" * 400])
def test_an_index_that_is_no_integer_is_refused(tmp_path: Path, number: str) -> None:
    content = mesh("ply_ascii", None, LPS)
    head, _, _ = content.rstrip().rpartition(b" ")
    file = tmp_path / "heart.ply"
    file.write_bytes(head + b" " + number.encode() + b"\n")
    with warnings.catch_warnings(), pytest.raises(ReadError, match="infinite, NaN, or too large"):
        warnings.simplefilter("error")
        read(file)


def test_a_facets_normal_may_be_nan(tmp_path: Path) -> None:
    content = re.sub(rb"facet normal [^\n]*", b"facet normal nan nan nan", mesh("stl_ascii", None, LPS))
    (tmp_path / "heart.stl").write_bytes(content)
    assert np.allclose(middle_P(tmp_path / "heart.stl"), HEART_P)


def test_a_damaged_file_gives_an_error_and_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = mesh("stl_ascii", None, LPS).replace(b"facet normal ", b"facet normal x", 1)
    (tmp_path / "heart.stl").write_bytes(content)
    with suppress(ReadError):
        read(tmp_path / "heart.stl")
    assert caplog.records == []

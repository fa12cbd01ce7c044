"""A study's intake: files as listed once, flushed before they are named, and known as uploads are."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plan_work
import pytest
import study_work

from anatomy.readers.mesh.mesh_axes import MeshAxes
from service.cli.study_command import settings_in
from service.client import Client
from service.interactive.case_reader import CaseReader
from service.interactive.unzip.task import Take, bytes_of, unpack_zip
from service.jobs.workspace import Workspace
from service.operations.case import Case
from service.operations.case_files import sha256_of
from service.operations.job_tasks import Work
from service.settings import Settings
from service.study import intake
from service.study.intake import take_in
from service.study.run import open_workspace
from service.web.app import create_app
from service.web.server import serve_in_background

NAMED: list[Path] = []
"""Cases that have got their names while what is flushed was looked at."""


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(settings_in(tmp_path / "out", {})) as at:
        yield at


@pytest.fixture
def files(tmp_path: Path) -> Case:
    """A label map with all that may come along."""
    ct, names = tmp_path / "ct.nii.gz", tmp_path / "labels.json"
    ct.write_bytes(b"ct")
    names.write_text("{}")
    targets = [study_work.write_case(tmp_path / where / "gtv.nii.gz", more=where) for where in ("a", "b")]
    return Case(study_work.write_case(tmp_path / "map.nii.gz"), names, tuple(targets), ct)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    for name in ("node", "aorta", "Aorta_2"):
        study_work.write_case(folder / f"{name}.nii.gz", more=name)
    return folder


@pytest.fixture
def only_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No case is named while something of it is not flushed. What is unpacked is unpacked in this process,
    whose flushes are seen."""
    flushed: set[int] = set()
    fsync, rename = os.fsync, Path.rename

    def flush(handle: int) -> None:
        fsync(handle)
        flushed.add(os.fstat(handle).st_ino)

    def name(path: Path, target: Path) -> Path:
        if target.parent.name == "cases":
            left = [p.name for p in (path, *path.rglob("*")) if p.stat().st_ino not in flushed]
            assert not left, left
            NAMED.append(target)
        return rename(path, target)

    async def unpacked(case_reader: CaseReader, owner: str, archive: Path, folder: Path, take: Take) -> None:
        bytes_of(unpack_zip(lambda *_: None, archive, folder, case_reader._zip_limits))

    NAMED.clear()
    monkeypatch.setattr(CaseReader, "unpacked", unpacked)
    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "rename", name)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    app = create_app(Settings(data_dir=tmp_path / "data"), Work(plan_work.describe, plan_work.plan))
    with serve_in_background(app) as base, Client(base) as client:
        yield client


@pytest.mark.usefixtures("only_flushed")
def test_the_same_files_are_the_same_case_in_a_study_and_uploaded(
    at: Workspace, client: Client, files: Case, masks: Path, tmp_path: Path
) -> None:
    assert isinstance(files.source, Path)
    zipped = tmp_path / "masks.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for mask in masks.iterdir():
            archive.write(mask, mask.name)
    unnamed = Case(files.source, targets=files.targets)
    uploaded: list[dict[str, Any]] = [
        client.add_case(files.source, files.names, files.targets, files.ct),
        client.add_case(files.source, targets=files.targets),
        client.add_case(zipped),
        client.add_case(zipped, mesh_axes="ras"),
        client.add_builtin("thorax"),
    ]
    cases = [files, unnamed, Case(masks), Case(masks, mesh_axes=MeshAxes.RAS), Case("thorax")]
    ids = [take_in(case, at.store, at.library) for case in cases]
    assert ids == [case["id"] for case in uploaded]
    assert len(NAMED) == 10
    stored = at.store.case(ids[0]).case
    assert [t.read_bytes() for t in stored.targets] == [t.read_bytes() for t in files.targets]
    assert stored.names is not None and stored.ct is not None and stored.ct.read_bytes() == b"ct"


def test_a_file_that_comes_while_a_folder_is_taken_in_is_not_of_it(
    at: Workspace, masks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def while_one_adds(path: Path) -> str:
        study_work.write_case(masks / "new.nii.gz")
        return sha256_of(path)

    monkeypatch.setattr(intake, "sha256_of", while_one_adds)
    case_id = take_in(Case(masks), at.store, at.library)
    names = {Path(file["place"]).name for file in at.store.case(case_id).record["files"]}
    assert names == {"node.nii.gz", "aorta.nii.gz", "Aorta_2.nii.gz"}
    (masks / "new.nii.gz").unlink()
    monkeypatch.undo()
    assert take_in(Case(masks), at.store, at.library) == case_id

"""What a study is asked for: rankings and cohorts as the command line gives them."""

import json
import os
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomy.errors import AnatomyError
from planner.records.request.ranking import DEFAULT_RANKING
from planner.records.request.request import Request
from planner.scores import SCORES
from service.host.errors import BadFile
from service.operations.case import Case
from service.study.cohort import Shared, _telling_apart, cohort
from service.study.intake import _files
from service.study.rankings import rankings

NAMES = [score.name for score in SCORES]
ONE = ("lung_length_mm",)

scores = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)
weights = st.dictionaries(
    st.sampled_from(NAMES), st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=len(NAMES)
)


# Rankings


@given(scores)
def test_scores_by_comma_are_read_in_their_order(wanted: tuple[str, ...]) -> None:
    [ranking] = rankings([",".join(wanted)])
    assert ranking.applied(Request()).ranking == wanted and not ranking.applied(Request()).weights
    assert ranking.name == ",".join(wanted)


@given(weights)
def test_weights_are_read_as_they_are(wanted: dict[str, float]) -> None:
    [ranking] = rankings(["w=" + ",".join(f"{name}:{weight!r}" for name, weight in wanted.items())])
    request = ranking.applied(Request())
    assert request.weights == wanted and request.ranking == DEFAULT_RANKING and ranking.name == "w"


@given(st.one_of(scores.map(list), weights.map(lambda w: {"weights": w})))
def test_a_file_holds_what_a_request_takes(tmp_path_factory: pytest.TempPathFactory, content: object) -> None:
    file = tmp_path_factory.mktemp("rankings") / "heuristic.json"
    file.write_text(json.dumps(content))
    [ranking] = rankings([str(file)])
    request = ranking.applied(Request())
    assert ranking.name == "heuristic"
    assert content == (list(request.ranking) if isinstance(content, list) else {"weights": request.weights})


@given(st.lists(scores, min_size=2, max_size=4))
def test_rankings_are_taken_where_all_differ_and_refused_where_not(wanted: list[tuple[str, ...]]) -> None:
    given_texts = [f"n{n}={','.join(one)}" for n, one in enumerate(wanted)]
    if len(set(wanted)) == len(wanted):
        taken = rankings(given_texts)
        assert [one.name for one in taken] == [f"n{n}" for n in range(len(wanted))]
        assert not any(a.same_as(b) for a, b in combinations(taken, 2))
    else:
        with pytest.raises(AnatomyError, match=r"it is the same as 'n\d'\. Leave one of them out"):
            rankings(given_texts)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["lung_lenght_mm"], "'lung_lenght_mm' is not a known score. Did you mean 'lung_length_mm'"),
        (["length_mm,length_mm"], "'length_mm' is named twice"),
        (["length_mm:1,length_mm:2"], "'length_mm' is named twice"),
        (["length_mm:1,lung_length_mm"], "'lung_length_mm' has no weight"),
        (["lenght_mm:1"], "Did you mean 'length_mm'"),
        (["length_mm:1e9"], "out of range"),
        (["length_mm:nan"], "'length_mm:nan' has no weight"),
        ([""], "is empty"),
        (["=length_mm"], "its name is empty"),
        (["a\udcff=length_mm"], "it cannot be written down"),
        (["a=length_mm", "a=clearance_mm"], "another ranking is called 'a'"),
        (["length_mm:2", "w=length_mm:2.0"], "it is the same as"),
        (["gone.json"], "gone.json: there is no such file"),
    ],
)
def test_a_ranking_that_cannot_be_used_is_reported_in_a_sentence(texts: list[str], message: str) -> None:
    with pytest.raises((AnatomyError, BadFile)) as caught:
        rankings(texts)
    assert message in str(caught.value)


def test_a_ranking_file_with_something_else_is_reported_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "h.json"
    for text, message in (
        ("[", "h.json: "),
        ('["lung"]', "h.json: /ranking/0"),
        ("3", "Give a list of score"),
    ):
        file.write_text(text)
        with pytest.raises(BadFile, match=message):
            rankings([str(file)])


# Cohorts

paths = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple), min_size=1, max_size=6, unique=True
)


@given(paths)
def test_names_tell_cases_apart_by_parts_of_their_own_paths(given_paths: list[tuple[str, ...]]) -> None:
    names = _telling_apart(given_paths)
    assert len(set(names)) == len(names)
    assert all("/".join(path).find(name) >= 0 for path, name in zip(given_paths, names, strict=True))


def patient(folder: Path, name: str) -> Path:
    """A folder of masks as TotalSegmentator leaves it, the target among them."""
    masks = folder / name / "segmentations"
    masks.mkdir(parents=True)
    (masks / "node.nii.gz").write_bytes(os.fsencode(name))
    return masks


def test_folders_are_named_by_the_parts_in_which_they_differ(tmp_path: Path) -> None:
    given_paths = [str(patient(tmp_path, name)) for name in ("p2", "p1")]
    members = cohort(given_paths, Shared(targets=("node",)))
    assert [m.name for m in members] == ["p1", "p2"]
    assert all(m.request.target.structures == ("node",) for m in members)
    assert [m.name for m in cohort(given_paths[:1], Shared())] == ["segmentations"]


def test_the_builtin_goes_by_its_bare_name_where_no_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cohort(["thorax"], Shared())[0].case.source == "thorax"
    assert cohort(["builtin:thorax"], Shared())[0].name == "thorax"
    Path("thorax").mkdir()
    assert cohort(["thorax"], Shared())[0].case.source == Path("thorax")


def test_names_are_for_label_maps_alone(tmp_path: Path) -> None:
    (tmp_path / "map.nii.gz").write_bytes(b"x")
    (tmp_path / "names.json").write_text("{}")
    masks = patient(tmp_path, "p1")
    shared = Shared(names=tmp_path / "names.json")
    by_name = {m.name: m.case for m in cohort([str(masks), str(tmp_path / "map.nii.gz")], shared)}
    assert by_name["map"].names == tmp_path / "names.json" and by_name["segmentations"].names is None
    with pytest.raises(AnatomyError, match="--names: no case is a NIfTI label map"):
        cohort([str(masks)], shared)


def test_a_table_of_cases_says_what_each_has_of_its_own(tmp_path: Path) -> None:
    masks = patient(tmp_path, "p1")
    for name in ("ct.nii.gz", "lesion.nii.gz", "map.nii.gz"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "names.json").write_text("{}")
    (tmp_path / "prone.json").write_text('{"pose": {"position": "prone"}}')
    table = tmp_path / "cohort.csv"
    table.write_text(
        "case,input,target,names,ct,request\n"
        f"left,{masks.relative_to(tmp_path)},lesion.nii.gz,,ct.nii.gz,\n"
        f"right,{masks},node;node_7,,,prone.json\n"
        "map,map.nii.gz,,names.json,,\n"
        "built,thorax,node_4R,,,\n"
    )
    members = {m.name: m for m in cohort([str(table)], Shared(targets=("node",)))}
    assert list(members) == ["built", "left", "map", "right"]
    left, right = members["left"], members["right"]
    assert left.case.source == masks and left.case.ct == tmp_path / "ct.nii.gz"
    assert left.case.targets == (tmp_path / "lesion.nii.gz",) and left.request.target.structures == ()
    assert right.request.target.structures == ("node", "node_7") and right.request.pose.position == "prone"
    assert members["map"].case.names == tmp_path / "names.json"
    assert members["map"].request.target.structures == ("node",)
    assert members["built"].case.source == "thorax"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,inptu\na,b\n", "there is no column 'inptu'. Did you mean 'input'"),
        (f"case,{'y' * 5000}\na,b\n", "yyy ... yyy"),
        ("input\n", "it has no line below its head"),
        ("case,input\na\n", "case 1 has not as many cells"),
        ("input\na,b\n", "case 1 has not as many cells"),
        ("case,input\na,\n", "case 1 has no input"),
        ("case,input\na,gone.nii.gz\n", "gone.nii.gz: there is no such file"),
        ("case,input\na,thorax\na,builtin:thorax\n", "case a: two cases have this name"),
        ("input,request\nthorax,ranked.json\n", "ranked.json: /ranking: a study's rankings are its options"),
        ("input,target\nthorax,gone.nii.gz\n", "gone.nii.gz: there is no such file"),
        ("input\n\udcff\n", "it is not a table"),
    ],
)
def test_a_table_that_cannot_be_used_is_reported_in_a_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "ranked.json").write_text('{"ranking": ["length_mm"]}')
    (tmp_path / "cohort.csv").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises((AnatomyError, BadFile)) as caught:
        cohort([str(tmp_path / "cohort.csv")], Shared())
    assert message in str(caught.value)


def test_names_that_cannot_be_written_down_are_refused(tmp_path: Path) -> None:
    masks = patient(tmp_path, "p\udcff")
    with pytest.raises(AnatomyError, match="its name cannot be written down"):
        cohort([str(masks), str(patient(tmp_path, "p1"))], Shared())
    with pytest.raises(AnatomyError, match="its name cannot be written down"):
        _files(Case(masks.rename(tmp_path / "p2"), targets=(tmp_path / "\udcff.nii.gz",)))


def test_one_target_file_is_not_taken_for_several_patients(tmp_path: Path) -> None:
    given_paths = [str(patient(tmp_path, name)) for name in ("p1", "p2")]
    with pytest.raises(AnatomyError, match="a file is one patient's target"):
        cohort(given_paths, Shared(targets=("node.nii.gz",)))


def test_a_zero_byte_in_a_table_is_reported_by_its_case(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_bytes(b"input\nthorax\nbody\0.nii.gz\n")
    with pytest.raises(BadFile, match="case 2 holds a zero byte"):
        cohort([str(tmp_path / "cases.csv")], Shared())

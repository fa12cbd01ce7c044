"""A study's table, picture, bar and summary: what is told of plans, whatever became of them."""

import hashlib
from dataclasses import fields, replace
from io import BytesIO, StringIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ball_plans import ball_plan
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from true_plans import box_patient, honest_plan

from planner.records.paths import Path
from planner.records.plan import Outcome, Plan, Status
from planner.records.request.request import Request
from planner.scores import SCORES
from service.cli.study_progress import CLEAR, OFTEN_S, SELDOM_S, ProgressBar
from service.cli.text.study import all_planned, summary_text
from service.pictures.study import ALIKE, COLOURS, QUANTITIES, change, study_figure
from service.study.parquet import table_bytes
from service.study.plan_order import StudyOutcome, StudyPlan
from service.study.run import StudyProgress
from service.study.table import COLUMNS, Value, row

ASKED = StudyPlan("p1", "lung", "ca" * 32, Request())
ABOUT = {"schema": "seedpath.study/1", "rankings": [{"name": "lung", "ranking": ["lung_length_mm"]}]}


def ended(plan: Plan | None, study_plan: StudyPlan = ASKED) -> StudyOutcome:
    if plan is None:
        return StudyOutcome(
            study_plan, None, None, "unusable-input", "labels.nii.gz: it is no image. Give one."
        )
    return StudyOutcome(study_plan, plan, "ab" * 32, None, plan.outcome.message)


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan | None]:
    """A plan with everything, one of paths alone, one without a path, and none."""
    honest = honest_plan(box_patient())
    nothing = replace(honest, paths=(), windows=(), outcome=Outcome(Status.NO_PATH, "Shown: no path."))
    return {"whole": ball_plan(), "paths": honest, "nothing": nothing, "none": None}


# The table


def test_columns_have_one_name_each_a_description_and_their_unit_in_the_name() -> None:
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
    suffixes = {"mm": "_mm", "Gy": "_gy", "deg": "_deg", "%": "_percent", "cm3": "_cc"}
    for column in COLUMNS:
        assert column.says
        if column.unit:
            assert suffixes[column.unit] in column.name


def test_a_whole_plan_fills_every_column_but_that_of_problems(plans: dict[str, Plan | None]) -> None:
    empty = {name for name, value in row(ended(plans["whole"])).items() if value is None}
    # The ball's seeds may be driven without touching anything.
    assert empty <= {"problem", "most_touched", "touch_chance"}


def test_a_row_says_what_the_plan_says(plans: dict[str, Plan | None]) -> None:
    plan = plans["whole"]
    assert plan is not None and plan.dose is not None and plan.needle_set is not None
    plan_row, needles = row(ended(plan)), plan.needle_set
    best = plan.paths[0]
    for field in fields(Path):
        if field.name in plan_row and field.name != "window":
            assert plan_row[field.name] == getattr(best, field.name)
    assert (plan_row["entry_x_mm"], plan_row["entry_y_mm"], plan_row["entry_z_mm"]) == best.entry_mm
    assert (plan_row["tip_x_mm"], plan_row["tip_y_mm"], plan_row["tip_z_mm"]) == best.tip_mm
    for name in ("d90_gy", "d100_gy", "v100_percent", "v150_percent", "v200_percent", "ci", "ei", "hi"):
        assert plan_row[name] == getattr(plan.dose.target, name)
    assert plan_row["set_seeds"] == len(needles.seeds)
    assert plan_row["set_needles"] == len(needles.path_ids)
    assert (plan_row["set_objective_mm"], plan_row["set_bound_mm"]) == (
        needles.objective,
        needles.bound,
    )
    assert plan_row["status"] == plan.outcome.status and plan_row["message"] == plan.outcome.message


def test_every_score_is_a_column(plans: dict[str, Plan | None]) -> None:
    """Who ranks by a score finds what came of it, but for the one that is an angle's size."""
    assert {score.name for score in SCORES} - {column.name for column in COLUMNS} <= {"off_axial_angle_deg"}


def test_what_a_plan_has_not_is_empty(plans: dict[str, Plan | None]) -> None:
    none, nothing, paths = (row(ended(plans[name])) for name in ("none", "nothing", "paths"))
    known = ("case", "case_sha256", "ranking", "status", "message", "problem")
    assert {name for name, value in none.items() if value is not None} == set(known)
    assert none["status"] == "failed" and none["problem"] == "unusable-input"
    assert nothing["status"] == "no_path" and nothing["lung_length_mm"] is None and nothing["paths"] == 0
    assert paths["lung_length_mm"] is not None and paths["d90_gy"] is None and paths["set_seeds"] is None


def test_the_file_holds_the_rows_with_types_units_and_rankings(plans: dict[str, Plan | None]) -> None:
    rows = [row(ended(plan)) for plan in plans.values()]
    data = table_bytes(rows, ABOUT)
    table = pq.read_table(BytesIO(data))
    assert table.to_pylist() == rows
    field = table.schema.field("lung_length_mm")
    assert field.type == pa.float64() and field.metadata[b"unit"] == b"mm" and field.metadata[b"description"]
    assert table.schema.metadata[b"seedpath.schema"] == b"seedpath.study/1"
    assert b"lung_length_mm" in table.schema.metadata[b"seedpath.rankings"]
    # Types do not depend on what happens to be there.
    assert pq.read_table(BytesIO(table_bytes(rows[-1:], ABOUT))).schema.types == table.schema.types
    assert table_bytes(rows, ABOUT) == data


# The picture

numbers = st.floats(0.0, 200.0, allow_nan=False)


def made_row(case: str, ranking: str, values: dict[str, float | None]) -> dict[str, Value]:
    return {"case": case, "ranking": ranking, "plan_sha256": "ab" * 32, **values}


@given(numbers, numbers, st.sampled_from(QUANTITIES))
def test_a_change_is_the_opposite_of_the_way_back(a: float, b: float, quantity: object) -> None:
    assert change(a, b, quantity) == -change(b, a, quantity)
    assert change(a, a, quantity) == ALIKE


def test_better_is_upwards_on_every_axis() -> None:
    rows = [
        made_row("p1", ranking, {q.column: 10.0 + (n if q.more_is_better else -n) for q in QUANTITIES})
        for n, ranking in enumerate(("a", "b"))
    ]
    for axes in study_figure(rows, ("a", "b")).axes:
        [line] = [one for one in axes.lines if len(one.get_xdata()) == 2]
        heights = axes.transData.transform(line.get_xydata())[:, 1]
        assert heights[1] > heights[0]
        assert to_rgb(line.get_color()) == to_rgb(COLOURS[1])


@pytest.mark.representative(2)
@pytest.mark.parametrize("cases", [1, 50])
@pytest.mark.parametrize("rankings", [("a",), ("a", "b"), ("a" * 40, "$x^$", "c$"), ("$", "$$_")])
def test_every_case_is_drawn_however_many_and_whatever_is_missing(
    cases: int, rankings: tuple[str, ...]
) -> None:
    rows = [
        made_row(
            f"p{n}",
            ranking,
            {q.column: None if (n + m) % 7 == 6 else 20.0 + 3.0 * n - m for q in QUANTITIES},
        )
        for n in range(cases)
        for m, ranking in enumerate(rankings)
    ]
    figure = study_figure(rows, rankings)
    for axes in figure.axes:
        rings = [one for one in axes.lines if one.get_marker() == "o"]
        assert len(rings) == sum(r["lung_length_mm"] is not None for r in rows)
        low, high = sorted(axes.get_ylim())
        assert all(low < one.get_ydata()[0] < high for one in rings)
        assert all(tick >= 0.0 for tick in axes.get_yticks())
    assert digest(figure) == digest(study_figure(rows, rankings))


def test_what_no_plan_has_is_not_drawn() -> None:
    rows = [made_row("p1", "a", {q.column: None if q.column == "d90_gy" else 1.0 for q in QUANTITIES})]
    titles = [axes.get_title(loc="left") for axes in study_figure(rows, ("a",)).axes]
    assert len(titles) == len(QUANTITIES) - 1 and not any("D90" in title for title in titles)


def test_a_study_in_which_nothing_was_planned_has_a_picture_too() -> None:
    rows = [made_row("p1", "a", {q.column: None for q in QUANTITIES}) | {"plan_sha256": None}]
    figure = study_figure(rows, ("a",))
    assert "1 of 1 plan failed" in figure.get_suptitle()
    assert digest(figure)


def digest(figure: Figure) -> str:
    drawn = BytesIO()
    figure.savefig(drawn, metadata={"Software": None})
    return hashlib.sha256(drawn.getvalue()).hexdigest()


# The bar


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_in_a_terminal_one_line_is_drawn_again_within_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    with ProgressBar() as bar:
        for done in range(4):
            bar(StudyProgress(3, done, 0, ((ASKED, "search" * 20),)))
    text = stream.getvalue()
    assert text.count("\n") == 1 and text.endswith("\n")
    drawn = text.strip("\n").split(CLEAR)[1:]
    assert len(drawn) == 4 and all(len(one) < 60 for one in drawn)
    assert bar.text == "3 of 3 plans done"


def test_without_a_terminal_a_line_is_printed_at_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, clock = StringIO(), Clock()
    monkeypatch.setattr("sys.stderr", stream)
    with ProgressBar(clock) as bar:
        for second in range(200):
            clock.now_s = 100.0 + second
            bar(StudyProgress(100, second // 2, 0, ()))
        clock.now_s += 1.0
        bar(StudyProgress(100, 100, 0, ()))
    lines = stream.getvalue().splitlines()
    assert 200 / SELDOM_S < len(lines) <= 200 / OFTEN_S + 2
    assert "100 of 100 plans done" in lines[-1] and "left" not in lines[-1]


def test_the_time_left_is_that_of_plans_made_since_the_start_and_runs_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream, clock = Terminal(), Clock()
    monkeypatch.setattr("sys.stderr", stream)
    with ProgressBar(clock) as bar:
        bar(StudyProgress(10, 4, 4, ()))
        assert "left" not in stream.getvalue()
        clock.now_s += 10.0
        bar(StudyProgress(10, 5, 4, ()))
        assert stream.getvalue().endswith("about 50 s left")
        clock.now_s += 4.0
        bar(StudyProgress(10, 5, 4, ()))
        assert stream.getvalue().endswith("about 46 s left")
        # One that takes longer than those before lets it grow again.
        clock.now_s += 16.0
        bar(StudyProgress(10, 5, 4, ()))
        assert stream.getvalue().endswith("about 60 s left")


# The summary


def test_the_summary_lists_failed_plans(plans: dict[str, Plan | None]) -> None:
    good = [row(ended(plans["paths"]))]
    assert all_planned(good)
    assert "The plan is made, and meets the goals it has." in summary_text(good, ("lung",))
    mixed = [*good, row(ended(plans["nothing"])), row(ended(None))]
    assert not all_planned(mixed)
    text = summary_text(mixed, ("lung",))
    assert "Made, with all goals met: 1 of 3 plans; 1 found no path, 1 failed." in text
    assert "p1 (lung): no_path: Shown: no path." in text and "it is no image" in text

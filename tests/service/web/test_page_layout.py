"""What the page shows first, in a real Chromium at the sizes of screens: worst news, progress, all columns.

Plans are stand-ins, with all that can be wrong with one, and the longest words; they come at once.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import instant_work
import page_work
import pytest
from browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, TOO_WIDE, Said
from playwright.sync_api import (
    Browser,
    Locator,
    Page,
    Route,
    WebSocketRoute,
    expect,
    sync_playwright,
)
from sample_implants import ASKED, a_dose, a_needle_set, implant_plan

from planner.records.dose import GoalResult
from planner.records.needle_set import NeedleParts, TooNear
from planner.records.organ_limits import Doubt, LimitKind
from planner.records.wording.goals import goal_text
from planner.records.wording.implant import worst_first
from planner.records.wording.organ_limits import exceeded, exceeded_text
from planner.records.wording.set_claims import given_twice, nearest_first, too_near_text
from service.interactive import appraisers
from service.schemas.json.canonical import to_json
from service.settings import Settings
from service.web.app import create_app
from service.web.server import serve_in_background

SIZES = [(1280, 720), (1440, 900), (820, 1180)]
"""A small laptop, a large one, and a tablet held upright. [CSS pixels]"""

WORST_FIRST = (
    ("N1, given, passes 0.7 mm from aorta, where 2 mm are asked for.",),
    ("Hub and shaft of N1 and N2, given, overlap by 0.50 mm.",),
    ("1 pair of given seeds lies nearer to each other", "check that none was given twice."),
    ("Not met: V200 of PTV 31.00 %, at most 30 % asked for.",),
    ("Exceeded: SpinalCord (spinal cord) gets BED 101.5 Gy, at most 90.0 Gy", "inside a seed is not known)."),
    (
        "Exceeded: Heart (heart) gets BED 100.2 Gy or more in 15.5 cc, less than 15 cc allowed",
        "allowed (RTOG_0813_5fx).",
    ),
    ("Placed by template with its published errors", "reached in 81 % of 60 samples."),
)
"""All that is wrong with the plans of `page_work`, how each begins and what more it says."""
IN_THE_MESSAGE = (
    "from aorta",
    "N1 and N2",
    "pair of given seeds",
    "V200 of PTV",
    "SpinalCord",
    "Heart",
    "errors as published",
)

EVENT = {"state": "running", "progress": {"phase": "search", "fraction": 0.25, "left_s": 90.0}}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    with (
        pytest.MonkeyPatch.context() as patch,
        serve_in_background(create_app(settings, page_work.WORK)) as page_address,
    ):
        patch.setattr(appraisers, "appraise", instant_work.appraise)
        patch.setattr(appraisers, "cut", instant_work.cut)
        yield page_address


@pytest.fixture(scope="module")
def plans(base: str) -> list[dict[str, Any]]:
    """Two plans of the built-in case, the newest first, as they are listed."""
    with httpx.Client(base_url=base, trust_env=False, timeout=PATIENCE_MS / 1000) as client:
        response = client.post("/v1/cases", json={"builtin": "thorax"})
        assert response.status_code == 201, response.text
        case = response.json()["id"]
        for seed in (1, 2):
            body = {"random_seed": seed}
            headers = {"Prefer": "wait=250"}
            assert client.post(f"/v1/cases/{case}/plans", json=body, headers=headers).status_code == 200
        items: list[dict[str, Any]] = client.get("/v1/plans").json()["items"]
    return items


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    console = Said(page)
    yield page
    context.close()
    assert console.problems == []


def page_address(base: str, item: dict[str, Any], *, with_plan: bool = True) -> str:
    case = item["case"].rpartition("/")[2]
    return f"{base}/?case={case}" + (f"&plan={item['id']}" if with_plan else "")


def is_visible_without_scrolling(page: Page, element: Locator) -> bool:
    """Whether all of it is seen of a page that nobody has scrolled."""
    assert page.evaluate("() => window.scrollY") == 0
    return is_visible(page, element)


def is_visible(page: Page, element: Locator) -> bool:
    """Whether all of it is seen, wherever the page is scrolled to."""
    box, size = element.bounding_box(), page.viewport_size
    assert box is not None and size is not None
    return (
        box["x"] >= 0.0
        and box["y"] >= 0.0
        and box["x"] + box["width"] <= size["width"]
        and box["y"] + box["height"] <= size["height"]
    )


@pytest.mark.representative(1)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_worst_news_comes_first_and_is_visible_without_scrolling(
    page: Page, base: str, plans: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(page_address(base, plans[0]))
    news = page.locator("#news")
    expect(news).to_be_visible()
    warnings = news.locator("ul.warning")
    sentences = warnings.locator("li").all_inner_texts()
    for sentence, words in zip(sentences, WORST_FIRST, strict=True):
        assert sentence.startswith(words[0]) and all(part in sentence for part in words[1:]), sentence
    # A plan's message has them in the same order.
    message = " ".join(worst_first(implant_plan(ASKED)))
    places = [message.index(words) for words in IN_THE_MESSAGE]
    assert len(places) == len(sentences) and places == sorted(places)
    expect(news.locator("ul").last).to_contain_text(
        "BED of the PTV: D90 233.5 Gy, 72.0 Gy of it given before (EQD2 194.6 Gy)."
    )
    expect(news.locator("ul").last).not_to_contain_text("Placed by")
    # All that is wrong is seen; what is said beside it may lie below.
    assert is_visible_without_scrolling(page, warnings)
    # Nothing of the plan stands above it.
    assert warnings.evaluate("(e) => e.parentElement.firstElementChild === e")
    assert news.evaluate("(e) => e.previousElementSibling?.tagName") == "H2"


@pytest.mark.long
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_table_of_paths_fits_its_frame(
    page: Page, base: str, plans: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(page_address(base, plans[0]))
    table, frame = page.locator("#paths table"), page.locator("#paths .scroll")
    expect(page.locator("#paths tr[data-path]")).to_have_count(14)
    assert frame.evaluate("(e) => e.scrollWidth - e.clientWidth") <= 0
    inner, outer = table.bounding_box(), frame.bounding_box()
    assert inner is not None and outer is not None
    assert outer["x"] <= inner["x"] and inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 0.5
    assert page.evaluate(TOO_WIDE) <= 0


@pytest.mark.long
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_progress_and_the_time_left_are_visible_after_scrolling(
    page: Page, base: str, plans: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    event_text = f"id: 1\nevent: progress\ndata: {json.dumps(EVENT)}\n\n"
    page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=event_text))
    # A plan is shown, as when another is asked for.
    page.goto(page_address(base, plans[0]))
    expect(page.locator("#status")).to_be_visible()
    page.evaluate("() => window.scrollTo(0, document.body.scrollHeight)")
    page.get_by_role("button", name="Plan", exact=True).click()
    expect(page.locator("#job")).to_contain_text("About 90 s left")
    for part in ("progress", "[role=status]", ".note"):
        assert is_visible(page, page.locator(f"#job {part}")), part
    assert page.locator("#job progress").get_attribute("value") == "0.25"


@pytest.mark.long
def test_plans_of_a_case_are_listed_with_target_figures_and_worst_news(
    page: Page, base: str, plans: list[dict[str, Any]]
) -> None:
    page.goto(page_address(base, plans[0], with_plan=False))
    rows = page.locator("#plans li[data-plan]")
    expect(rows).to_have_count(len(plans))
    for row, item in zip(rows.all(), plans, strict=True):
        row_text, summary = row.inner_text(), item["summary"]
        set, dose = summary["needle_set"], summary["dose"]
        assert row.get_attribute("data-plan") == item["id"]
        assert summary["targets"] == ["node_4R"] and "node 4R, planned" in row_text
        assert item["created"][:16].replace("T", " ") in row_text
        for text in (
            f"{set['needles']} needles, {set['seeds']} seeds",
            f"{set['lung_length_mm']:.1f} mm",
            f"punctures {set['pleural_punctures']}",
            # A half is rounded otherwise here than there.
            f"D90 {int(dose['d90_gy'])}.",
            f"V100 {int(dose['v100_percent'])}.",
        ):
            assert text in row_text, text
        warnings = row.locator(".warning li").all_inner_texts()
        for sentence, words in zip(warnings, WORST_FIRST, strict=True):
            assert sentence.startswith(words[0]) and all(
                part in sentence for part in words[1:] if "60" not in part
            ), sentence
        assert warnings[-1].endswith("D90 and V100 are reached in 81 % of samples.")
    older_id = plans[1]["id"]
    page.locator(f'#plans li[data-plan="{older_id}"]').get_by_role("button", name="Open").click()
    expect(page.locator("#status")).to_be_visible()
    expect(page.locator("#plans li[aria-current]")).to_have_attribute("data-plan", older_id)
    assert parse_qs(urlsplit(page.url).query)["plan"] == [older_id]


MISSING = ["pulmonary_artery", "heart", "lung"]
NO_DOSE = {"status": "goals_not_met", "needle_set": None, "dose": None, "robustness": None}
NO_PLACE = "Goals not met: no seed is planned."


@pytest.mark.long
def test_an_unverified_plan_is_reported_as_such_first(
    page: Page, base: str, plans: list[dict[str, Any]]
) -> None:
    plan = httpx.get(f"{base}/v1/plans/{plans[0]['id']}", trust_env=False).json()
    plan |= NO_DOSE | {"verification": None, "missing_structures": ["pulmonary_artery", "lung_left"]}
    plan["outcome"]["status"] = NO_DOSE["status"]
    page.route(f"**/v1/plans/{plans[0]['id']}", lambda route: route.fulfill(json=plan))
    page.goto(page_address(base, plans[0]))
    warnings = page.locator("#news ul.warning li")
    expect(warnings).to_have_text(["Not verified: nothing of it was checked.", NO_PLACE])
    expect(page.locator("#outcome")).to_contain_text(
        "Not in the input, so not kept clear of: pulmonary artery."
    )
    expect(page.locator("#outcome")).to_contain_text("Not in the input, so not counted as lung: lung left.")
    plan["verification"] = {"passed": False, "checks": [{"passed": True}, {"passed": False}]}
    page.reload()
    expect(warnings).to_have_text(["Not verified: of 2 checks 1 failed.", NO_PLACE])


LIMIT = a_dose().bed.limits[0]
LIMITS = [
    replace(LIMIT, kind=kind, doubts=doubts, structure=structure, **values)
    for kind, values in (
        (LimitKind.MAX, {"volume_cc": None}),
        (LimitKind.MAX, {"volume_cc": None, "achieved_bed_gy": 512.36}),
        (LimitKind.MAX, {"volume_cc": None, "achieved_bed_gy": None, "limit_bed_gy": None}),
        (LimitKind.VOLUME, {"achieved_cc": 15.0}),
        (LimitKind.VOLUME, {"achieved_cc": 15.0004}),
        (LimitKind.SPARED, {"achieved_cc": 14.9, "volume_cc": 1000.0}),
        (LimitKind.SPARED, {"achieved_cc": 999.7, "volume_cc": 1000.0}),
        (LimitKind.VOLUME_OR_SPARED, {"achieved_cc": 16.26, "volume_cc": 15.75}),
    )
    for doubts, structure in (((), ""), (tuple(Doubt), "heart"), ((Doubt.WALL, Doubt.LACKING), "aorta"))
]
OF_TWO = tuple(parts for parts in NeedleParts if parts is not NeedleParts.NEEDLE)
TOO_NEAR = [
    TooNear("N1", structure, None if structure else "N2", parts, clearance_mm, 1.5)
    for structure, parts in (("aorta", NeedleParts.NEEDLE), *((None, parts) for parts in OF_TWO))
    for clearance_mm in (1.26, 0.739, 0.02, 0.0, -0.004, -2.0)
]
GOALS = [
    GoalResult(structure, name, at_least, wanted, reached, False)
    for structure, name, at_least, wanted, reached in (
        ("PTV", "d90_gy", True, 120.0, 118.26),
        ("PTV", "d90_gy", True, 120.0004, 120.0002),
        ("PTV", "v100_percent", True, 95.0, 94.99804),
        ("PTV", "v200_percent", False, 30.0, 31.0),
        ("heart", "d0_1cc_gy", False, 90.5, 123.456),
    )
]
WORDS = """async ([limits, nears, goals]) => {
    const names = ["limits", "near", "goals"];
    const [limit, near, goal] = await Promise.all(names.map((name) => import(`./page/shared/${name}.js`)));
    return {
        limits: limits.map(limit.exceeded),
        by_excess: limit.byExcess(limits),
        nears: nears.map(near.tooNear),
        by_nearness: near.byNearness(nears),
        twice: [0, 1, 3].map(near.givenTwice),
        goals: goals.map(goal.missed),
    };
}"""


def test_the_page_states_bad_news_in_the_words_and_order_of_a_plans_message(page: Page, base: str) -> None:
    page.goto(base)
    sentences = page.evaluate(WORDS, to_json([LIMITS, TOO_NEAR, GOALS]))
    assert sentences["limits"] == [f"Exceeded: {exceeded_text(limit)}." for limit in LIMITS]
    assert sentences["nears"] == [f"{text[:1].upper()}{text[1:]}." for text in map(too_near_text, TOO_NEAR)]
    assert sentences["goals"] == [f"Not met: {goal_text(goal)}." for goal in GOALS]
    sets = [replace(a_needle_set(), given_seed_pairs_near=pairs) for pairs in (0, 1, 3)]
    assert sentences["twice"] == [given_twice(needles) for needles in sets]
    assert sentences["by_excess"] == to_json(exceeded(LIMITS)) != to_json(LIMITS)
    assert sentences["by_nearness"] == to_json(nearest_first(TOO_NEAR)) != to_json(TOO_NEAR)


def test_the_text_of_plans_in_a_list(page: Page, base: str, plans: list[dict[str, Any]]) -> None:
    plan_with_implant = plans[0]["summary"]
    one_path = plan_with_implant | NO_DOSE | {"status": "planned", "paths": 1}
    without_paths = one_path | {"paths": 0, "best_path": None}
    robust = plan_with_implant | {"robustness": plan_with_implant["robustness"] | {"goals_met_share": 0.996}}
    summary_of_text = {
        "Made by another version, or damaged.": None,
        "1 path, the best: lung 112.5 mm": one_path,
        NO_PLACE: one_path | {"status": "goals_not_met"},
        "The search ended early: paths may exist.": without_paths | {"status": "timed_out"},
        "No path.": without_paths | {"status": "no_path"},
        "D90 and V100 reached in 99 % of samples.": robust,
        "Not in the input, so not kept clear of: pulmonary artery, heart.": plan_with_implant
        | {"missing_structures": MISSING},
        "Not verified.": plan_with_implant | {"verified": False},
    }
    items = [
        plans[0] | {"id": f"{n:064x}", "summary": plan_summary}
        for n, plan_summary in enumerate(summary_of_text.values())
    ]
    page.route("**/v1/plans?*", lambda route: route.fulfill(json={"items": items, "next": None}))
    page.goto(page_address(base, plans[0], with_plan=False))
    rows = page.locator("#plans li[data-plan]")
    expect(rows).to_have_count(len(summary_of_text))
    for row, words in zip(rows.all(), summary_of_text, strict=True):
        expect(row).to_contain_text(words)
    expect(rows.nth(3)).not_to_contain_text("No path.")
    expect(rows.nth(6)).to_contain_text("No lung is in the input: what needles cross of it is not known.")
    expect(rows.nth(5).locator(".warning")).not_to_contain_text("Placed by")
    expect(rows.last.locator(".warning li").first).to_have_text("Not verified.")


@pytest.mark.long
def test_opening_an_older_plan_keeps_the_list_and_the_keyboard_focus(
    page: Page, base: str, plans: list[dict[str, Any]]
) -> None:
    count, addresses = 118, []
    plan = httpx.get(f"{base}/v1/plans/{plans[0]['id']}", trust_env=False).json()
    items = [plans[0] | {"id": f"{n:064x}"} for n in range(count)]

    def answer_list(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        limit, start = int(query["limit"][0]), int(query.get("cursor", ["0"])[0])
        addresses.append(limit)
        end = start + limit
        next_address = f"/v1/plans?limit={limit}&cursor={end}" if end < count else None
        route.fulfill(json={"items": items[start:end], "next": next_address})

    def answer_plan(route: Route) -> None:
        id = urlsplit(route.request.url).path.rpartition("/")[2]
        route.fulfill(json=plan | {"plan_sha256": id})

    page.route("**/v1/plans?*", answer_list)
    page.route(re.compile(r"/v1/plans/[0-9a-f]{64}$"), answer_plan)
    page.route("**/skin-access", lambda route: route.fulfill(status=404, json={}))
    page.goto(page_address(base, plans[0], with_plan=False))
    rows = page.locator("#plans li[data-plan]")
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(8)
    time = plans[0]["created"][:16].replace("T", " ")
    button = rows.nth(6).get_by_role("button", name=f"Open: plan of {time} to node 4R", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    expect(rows.nth(6)).to_have_attribute("aria-current", "true")
    expect(rows).to_have_count(8)
    open_button = rows.nth(6).get_by_role("button")
    expect(open_button).to_be_focused()
    expect(open_button).to_have_attribute("aria-disabled", "true")
    # Beyond what the API tells at once, too, each press shows more, until there are none.
    more_button = page.locator("#more-plans")
    for row_count in range(12, count, 4):
        more_button.press("Enter")
        expect(rows).to_have_count(row_count)
        expect(more_button).to_be_focused()
    more_button.press("Enter")
    expect(rows).to_have_count(count)
    expect(more_button).to_have_count(0)
    expect(rows.last.get_by_role("button")).to_be_focused()
    assert max(addresses) == 100
    assert [row.get_attribute("data-plan") for row in rows.all()] == [item["id"] for item in items]


CLEAR = {
    "safe": True,
    "reasons": [],
    "lung_length_mm": 0.0,
    "pleural_punctures": 0,
    "fissures_crossed": 0,
    "clearance_mm": 1.96,
    "nearest_structure": "aorta",
    "length_mm": 56.0,
    "target_chord_mm": 18.0,
    "axial_angle_deg": 0.0,
    "craniocaudal_angle_deg": 0.0,
    "clearances": [{"structure": "aorta", "clearance_mm": 1.96, "needed_mm": 2.0}],
    "crosses": [],
}


@pytest.mark.long
def test_a_given_needle_is_appraised_as_in_place_and_after_a_move_as_one_of_the_set(
    page: Page, base: str, plans: list[dict[str, Any]]
) -> None:
    aims = []

    def serve_socket(socket: WebSocketRoute) -> None:
        def answer_message(message: str | bytes) -> None:
            (needle,) = json.loads(message)["paths"]
            aims.append(needle["aim"])
            appraisal = CLEAR | {"aim": needle["aim"]}
            socket.send(json.dumps({"paths": [appraisal], "missing_structures": ["pulmonary_artery"]}))

        socket.on_message(answer_message)

    page.route_web_socket("**/paths", serve_socket)
    page.goto(page_address(base, plans[0]))
    verdict = page.locator("#verdict")
    expect(verdict).to_contain_text("Safe as requested as a path to the target")
    expect(verdict).to_contain_text("not kept clear of: pulmonary artery.")
    page.locator("#paths input[value=N1]").check()
    expect(verdict).to_contain_text("In place, clear as requested as a needle in place")
    # 1.96 is not 2.0.
    expect(page.locator("#figures dl")).to_contain_text("1.96 mm to aorta")
    page.get_by_text("Near the needle").click()
    expect(page.locator("#figures table").first).to_contain_text("✕ aorta1.962.00")
    page.locator("#pad button").first.focus()
    page.keyboard.press("ArrowRight")
    expect(verdict).to_contain_text("Safe as requested as a needle of the set")
    assert aims[-2:] == ["given", "ptv"]
    page.locator("#paths input[value=N2]").check()
    page.locator("#paths input[value=N1]").check()
    expect(verdict).to_contain_text("In place")
    page.get_by_text("Points, mm, LPS").click()
    page.get_by_label("Tip, left (L)").fill("81")
    page.get_by_label("Tip, left (L)").press("Tab")
    expect(verdict).to_contain_text("Safe as requested as a needle of the set")
    assert aims[-1] == "ptv"


@pytest.mark.long
def test_stored_cases_are_listed_by_name(page: Page, base: str, plans: list[dict[str, Any]]) -> None:
    page.goto(base)
    picker = page.get_by_label("Stored cases")
    expect(picker.locator("option")).to_have_count(1)
    expect(picker.locator("option")).to_contain_text("Built-in thorax: 1 structure;")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator("#plans li[data-plan]")).to_have_count(len(plans))

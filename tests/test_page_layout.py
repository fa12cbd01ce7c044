"""What the page shows first, in a real Chromium at the sizes of screens: worst news, progress, all columns.

Plans are stand-ins, with all that can be wrong with one, and the longest words; they come at once.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import fuzz_fakes
import httpx
import page_fakes
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from test_page import ARGUMENTS, CHROMIUM, PATIENCE_MS, TOO_WIDE, Said

from service import appraising
from service.app import create_app
from service.server import beside
from service.settings import Settings

SIZES = [(1280, 720), (1440, 900), (820, 1180)]
"""A small laptop, a large one, and a tablet held upright. [CSS pixels]"""

EVENT = {"state": "running", "progress": {"phase": "search", "fraction": 0.25, "left_s": 90.0}}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    with (
        pytest.MonkeyPatch.context() as patch,
        beside(create_app(settings, page_fakes.WORK)) as address,
    ):
        patch.setattr(appraising, "appraise", fuzz_fakes.appraise)
        patch.setattr(appraising, "cut", fuzz_fakes.cut)
        yield address


@pytest.fixture(scope="module")
def plans(base: str) -> list[dict[str, Any]]:
    """Two plans of the built-in case, the newest first, as they are listed."""
    with httpx.Client(base_url=base, trust_env=False, timeout=PATIENCE_MS / 1000) as client:
        case = client.post("/v1/cases", json={"builtin": "thorax"}).json()["id"]
        for seed in (1, 2):
            asked = {"random_seed": seed}
            headers = {"Prefer": "wait=250"}
            assert client.post(f"/v1/cases/{case}/plans", json=asked, headers=headers).status_code == 200
        found: list[dict[str, Any]] = client.get("/v1/plans").json()["items"]
    return found


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
    said = Said(page)
    yield page
    context.close()
    assert said.problems == []


def address(base: str, listed: dict[str, Any], *, with_plan: bool = True) -> str:
    case = listed["case"].rpartition("/")[2]
    return f"{base}/?case={case}" + (f"&plan={listed['id']}" if with_plan else "")


def is_above_the_fold(page: Page, shown: Locator) -> bool:
    """Whether all of it is seen of a page that nobody has scrolled."""
    box, size = shown.bounding_box(), page.viewport_size
    assert box is not None and size is not None and page.evaluate("() => window.scrollY") == 0
    return (
        box["x"] >= 0.0
        and box["y"] >= 0.0
        and box["x"] + box["width"] <= size["width"]
        and box["y"] + box["height"] <= size["height"]
    )


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_worst_news_stands_first_and_is_seen_without_scrolling(
    page: Page, base: str, plans: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(address(base, plans[0]))
    news = page.locator("#news")
    expect(news).to_be_visible()
    bad = news.locator("ul.warning")
    dose = plans[0]["summary"]["dose"]
    assert dose["limits_exceeded"] and dose["goals_missed"]
    expect(bad.locator("li")).to_have_count(len(dose["limits_exceeded"]) + len(dose["goals_missed"]))
    for structure in (one["structure"] for one in dose["limits_exceeded"] + dose["goals_missed"]):
        expect(bad).to_contain_text(structure.replace("_", " "))
    expect(news).to_contain_text("Placed by")
    assert is_above_the_fold(page, news)
    # Nothing of the plan stands above it.
    assert bad.evaluate("(e) => e.parentElement.firstElementChild === e")
    assert news.evaluate("(e) => e.previousElementSibling?.tagName") == "H2"


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_table_of_paths_is_no_wider_than_its_frame(
    page: Page, base: str, plans: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(address(base, plans[0]))
    table, frame = page.locator("#paths table"), page.locator("#paths .scroll")
    expect(page.locator("#paths tr[data-path]")).to_have_count(14)
    assert frame.evaluate("(e) => e.scrollWidth - e.clientWidth") <= 0
    inner, outer = table.bounding_box(), frame.bounding_box()
    assert inner is not None and outer is not None
    assert outer["x"] <= inner["x"] and inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 0.5
    assert page.evaluate(TOO_WIDE) <= 0


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_progress_and_the_time_left_are_seen_without_scrolling(
    page: Page, base: str, plans: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    told = f"id: 1\nevent: progress\ndata: {json.dumps(EVENT)}\n\n"
    page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=told))
    # A plan is shown, as when another is asked for.
    page.goto(address(base, plans[0]))
    expect(page.locator("#status")).to_be_visible()
    page.get_by_role("button", name="Plan", exact=True).click()
    expect(page.locator("#job")).to_contain_text("About 90 s left")
    page.evaluate("() => window.scrollTo(0, 0)")
    for part in ("progress", "[role=status]", ".note"):
        assert is_above_the_fold(page, page.locator(f"#job {part}"))
    assert page.locator("#job progress").get_attribute("value") == "0.25"


def test_plans_of_a_patient_are_found_again_by_target_figures_and_worst_news(
    page: Page, base: str, plans: list[dict[str, Any]]
) -> None:
    page.goto(address(base, plans[0], with_plan=False))
    rows = page.locator("#plans li[data-plan]")
    expect(rows).to_have_count(len(plans))
    for row, listed in zip(rows.all(), plans, strict=True):
        said, summary = row.inner_text(), listed["summary"]
        set, dose = summary["needle_set"], summary["dose"]
        assert row.get_attribute("data-plan") == listed["id"]
        assert listed["created"][:16].replace("T", " ") in said
        for text in (
            *summary["targets"],
            summary["status"].replace("_", " "),
            f"{set['needles']} needles, {set['seeds']} seeds",
            f"{set['lung_length_mm']:.1f} mm",
            f"punctures {set['pleural_punctures']}",
            # A half is rounded otherwise here than there.
            f"D90 {int(dose['d90_gy'])}.",
            f"V100 {int(dose['v100_percent'])}.",
            f"{100 * summary['robustness']['goals_met_share']:.0f} % of samples",
        ):
            assert text in said, text
        assert row.locator(".warning li").count() >= len(dose["limits_exceeded"] + dose["goals_missed"])
    older = plans[1]["id"]
    page.locator(f'#plans li[data-plan="{older}"]').get_by_role("button", name="Open").click()
    expect(page.locator("#status")).to_be_visible()
    expect(page.locator("#plans li[aria-current]")).to_have_attribute("data-plan", older)
    assert parse_qs(urlsplit(page.url).query)["plan"] == [older]


def test_cases_are_found_again_by_name(page: Page, base: str, plans: list[dict[str, Any]]) -> None:
    page.goto(base)
    picker = page.get_by_label("Cases that are here")
    expect(picker.locator("option")).to_have_count(1)
    expect(picker.locator("option")).to_contain_text("Built-in thorax: 1 structures")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator("#plans li[data-plan]")).to_have_count(len(plans))

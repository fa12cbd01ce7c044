"""The page in a real Chromium: upload, plan, look, edit, download, by mouse and by keyboard.

What the page shows is held against what the API answers. Nothing else than the service is asked, and nothing
is said on the browser's console.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
from browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, TOO_WIDE, Said
from keyed_service import base, folder, token
from phantom import write_phantom
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from rest_calls import client_of

__all__ = ["base", "folder", "token"]

if CHROMIUM is None:
    pytest.skip("no chromium: the page is not tried in a browser", allow_module_level=True)


expect.set_options(timeout=PATIENCE_MS)


CONTROLS = """() => [...document.querySelectorAll("button, input, select, textarea, summary")]
    .filter((e) => e.checkVisibility())
    .filter((e) => !(e.textContent.trim() || e.labels?.length || e.getAttribute("aria-label")))
    .map((e) => e.outerHTML)"""
"""What has neither a text nor a label."""


@pytest.fixture(scope="module")
def api(base: str, token: str) -> Iterator[httpx.Client]:
    with client_of(base, token) as client:
        client.timeout = PATIENCE_MS / 1000
        yield client


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def page(browser: Browser, base: str, token: str) -> Iterator[Page]:
    """A page whose user has given his key."""
    yield from open_page(browser, base, token)


def open_page(browser: Browser, base: str, token: str | None, **options: Any) -> Iterator[Page]:
    context = browser.new_context(accept_downloads=True, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    console = Said(page)
    page.goto(base)
    if token is not None:
        give_key(page, token)
        expect(page.locator("#key")).to_be_hidden()
    yield page
    context.close()
    assert console.problems == []
    assert {host for host in console.hosts if host} <= {urlsplit(base).netloc}


def give_key(page: Page, token: str) -> None:
    page.get_by_label("API key").fill(token)
    page.get_by_role("button", name="Use this key").click()


@pytest.fixture(scope="module")
def phantom_plan(browser: Browser, base: str, token: str, folder: Path, api: httpx.Client) -> dict[str, Any]:
    """The plan of the phantom, uploaded and asked for on the page. Its address is that of the page."""
    phantom_folder = write_phantom(folder)
    pages = open_page(browser, base, token)
    page = next(pages)
    page.get_by_text("Upload a segmentation").click()
    page.get_by_label("Label map").set_input_files(phantom_folder / "labels.nii.gz")
    page.get_by_label("Names of labels").set_input_files(phantom_folder / "labels.json")
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_role("combobox", name="Target").select_option(label="node 4R")
    # A coarse search takes half of the time.
    page.get_by_label("Covering radius of the search, mm").fill("4")
    page.get_by_role("button", name="Plan", exact=True).click()
    expect(page.locator("#status")).to_be_visible(timeout=PATIENCE_MS)
    address = page.url
    id = parse_qs(urlsplit(address).query)["plan"][0]
    assert next(pages, None) is None
    return {"address": address, "id": id, "plan": api.get(f"/v1/plans/{id}").json()}


@pytest.fixture
def plan_page(page: Page, phantom_plan: dict[str, Any]) -> Page:
    """A page with the phantom's plan on it: its address alone says so."""
    page.goto(phantom_plan["address"])
    expect(page.locator("#status")).to_be_visible(timeout=PATIENCE_MS)
    return page


def test_without_a_key_the_page_asks_for_one_and_reports_a_wrong_one(browser, base, token):
    pages = open_page(browser, base, None)
    page = next(pages)
    expect(page.locator("#alert")).to_contain_text("key")
    give_key(page, "not a key")
    expect(page.locator("#alert")).to_contain_text("Send a key that is valid")
    expect(page.locator("#patient button")).to_have_count(0)
    give_key(page, token)
    expect(page.locator("#builtin")).to_be_visible()
    expect(page.locator("#alert")).to_be_empty()
    assert next(pages, None) is None


@pytest.mark.long
def test_the_page_works_from_the_browsers_cache(playwright, base, tmp_path):
    # A browser that keeps its cache on disk, as everybody's does, asks whether what it has is current.
    is_conditional: list[bool] = []
    for _ in range(3):
        context = playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=CHROMIUM, args=ARGUMENTS
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        console = Said(page)
        answer = page.goto(base)
        # The script ran: it shows the form for a key, and says why.
        expect(page.locator("#key")).to_be_visible()
        expect(page.locator("#alert")).to_contain_text("key")
        assert page.evaluate("() => getComputedStyle(document.querySelector('main')).display") == "grid"
        assert console.problems == [] and answer is not None
        # DevTools call what was asked about by its tag 200, too.
        is_conditional.append("if-none-match" in answer.request.all_headers())
        context.close()
    assert is_conditional == [False, True, True]


@pytest.mark.long
def test_an_unusable_upload_is_reported_with_its_file(page, folder):
    (folder / "broken.nii.gz").write_bytes(b"no image")
    page.get_by_text("Upload a segmentation").click()
    page.get_by_label("Label map").set_input_files(folder / "broken.nii.gz")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#alert")).to_contain_text("broken.nii.gz")


def test_the_table_lists_every_path_of_the_plan_by_rank(plan_page, phantom_plan):
    rows = plan_page.locator("#paths tr[data-path]")
    expect(rows).to_have_count(len(phantom_plan["plan"]["paths"]))
    for row, path in zip(rows.all(), phantom_plan["plan"]["paths"], strict=True):
        text = row.inner_text()
        assert f"{path['lung_length_mm']:.1f}" in text
        assert path["nearest_structure"].replace("_", " ") in text
    expect(plan_page.locator("#status")).to_contain_text(phantom_plan["plan"]["outcome"]["message"])


def test_the_scene_shows_organs_access_needles_and_seeds(plan_page, phantom_plan, api):
    plan_page.wait_for_selector("#scene-plot .main-svg")
    points = plan_page.evaluate(
        """() => Object.fromEntries(document.getElementById("scene-plot").data
            .map((t) => [t.name, t.visible === false ? 0 : t.x.length]))"""
    )
    assert {"target", "lung", "artery", "skin", "access-free", "access-lung", "set", "seeds", "hand"} <= {
        name for name, count in points.items() if count
    } | {"access-free", "access-lung"}
    plan = phantom_plan["plan"]
    access = api.get(f"/v1/plans/{phantom_plan['id']}/skin-access").json()
    assert points["access-free"] + points["access-lung"] == len(access["entry_mm"])
    assert points["seeds"] == 3 * len(plan["needle_set"]["seeds"])
    assert points["set"] == 3 * len(plan["needle_set"]["path_ids"])
    plan_page.get_by_label("seeds", exact=True).uncheck()
    plan_page.wait_for_function(
        """() => document.getElementById("scene-plot").data
            .find((t) => t.name === "seeds").visible === false"""
    )


@pytest.mark.long
def test_slices_show_the_target_and_isodose_lines(plan_page):
    plan_page.wait_for_selector("#slices:not([hidden])")
    for canvas in plan_page.locator("#slices canvas").all():
        # A line of dose is thin and smoothed: near its colour is its colour.
        assert pixels_near(canvas, "--isodose") > 50
        assert pixels_near(canvas, "--target") > 50
    expect(plan_page.locator("#slices")).to_contain_text("Isodose lines")
    middle = plan_page.locator("#slices canvas").first
    middle.hover()
    expect(plan_page.locator("#slices output").first).to_contain_text("Gy")


@pytest.mark.long
def test_curves_and_goals_of_the_dose_are_those_of_the_plan(plan_page, phantom_plan):
    dose = phantom_plan["plan"]["dose"]
    plan_page.wait_for_selector("#dvh-plot .main-svg")
    names = plan_page.evaluate("""() => document.getElementById("dvh-plot").data.map((t) => t.name)""")
    assert {"PTV", "GTV"} <= set(names)
    goals = plan_page.locator("#dose table").first.locator("tbody tr")
    expect(goals).to_have_count(len(dose["goals"]))
    for row, goal in zip(goals.all(), dose["goals"], strict=True):
        assert f"{goal['reached']:.1f}" in row.inner_text()
        assert ("yes" if goal["met"] else "no") in row.inner_text()


@pytest.mark.long
def test_a_path_selected_by_arrow_keys_is_highlighted_on_the_pareto_front(plan_page, phantom_plan):
    ids = [path["id"] for path in phantom_plan["plan"]["paths"]]
    plan_page.locator(f"#paths input[value={ids[0]}]").focus()
    plan_page.keyboard.press("ArrowDown")
    expect(plan_page.locator("#paths tr.picked")).to_have_attribute("data-path", ids[1])
    highlighted = plan_page.evaluate(
        """() => document.getElementById("pareto-plot").data
            .flatMap((t) => t.customdata.filter((_, n) => t.marker.size[n] > 11))"""
    )
    assert highlighted == [ids[1]]


def test_a_needle_moved_by_the_keyboard_gets_the_verdict_of_the_api(plan_page, phantom_plan, api):
    expect(plan_page.locator("#verdict.safe")).to_be_visible()
    plan_page.get_by_text("Points, mm, LPS").click()
    plan_page.get_by_label("to the patient's left").focus()
    # The needle is moved until it is unsafe by more than the tenth of a millimetre that its fields show.
    for _ in range(80):
        plan_page.keyboard.press("ArrowRight")
        # A move takes the old verdict away at once.
        plan_page.wait_for_selector("#verdict.safe, #verdict.unsafe")
        if plan_page.locator("#verdict.unsafe").count():
            appraisal = appraisal_of_fields(plan_page, phantom_plan, api)
            if not appraisal["safe"]:
                break
    else:
        pytest.fail("no needle was unsafe to both")
    verdict = plan_page.locator("#verdict").inner_text()
    # Sentences agree up to their last digit.
    for reason in appraisal["reasons"]:
        assert (reason["structure"] or reason["detail"].split(" for ")[0]) in verdict
    assert plan_page.locator("#paths tr.picked").count() == 0


def appraisal_of_fields(page: Page, phantom_plan: dict[str, Any], api: httpx.Client) -> dict[str, Any]:
    """What the API says of the needle whose points stand in the page's fields."""
    entry_mm, tip_mm = (
        [float(page.get_by_label(f"{end}, {axis}").input_value()) for axis in AXES]
        for end in ("Entry", "Tip")
    )
    case = parse_qs(urlsplit(phantom_plan["address"]).query)["case"][0]
    request = {k: v for k, v in phantom_plan["plan"]["request"].items() if k in CACHE_KEY_FIELDS}
    answer = api.post(
        f"/v1/cases/{case}/paths:evaluate",
        json={"paths": [{"entry_mm": entry_mm, "tip_mm": tip_mm}], "request": request},
    )
    appraisal: dict[str, Any] = answer.json()["paths"][0]
    return appraisal


AXES = ("left (L)", "posterior (P)", "superior (S)")
CACHE_KEY_FIELDS = ("target", "needle", "clearance_mm", "roles", "pose", "seeds", "search")


@pytest.mark.long
def test_a_needle_without_an_appraisal_yet_is_not_called_safe(page, phantom_plan):
    page.route_web_socket("**/paths", lambda socket: None)
    page.goto(phantom_plan["address"])
    expect(page.locator("#verdict")).to_contain_text("Asking")
    page.locator(f"#paths input[value={phantom_plan['plan']['paths'][1]['id']}]").check()
    page.wait_for_timeout(1000)
    expect(page.locator("#verdict")).to_contain_text("Asking")
    expect(page.locator("#verdict.safe, #verdict.unsafe")).to_have_count(0)


@pytest.mark.long
def test_without_a_socket_the_page_still_shows_a_verdict(page, phantom_plan):
    page.route_web_socket("**/paths", lambda socket: socket.close())
    page.goto(phantom_plan["address"])
    expect(page.locator("#verdict.safe")).to_be_visible()


@pytest.mark.long
def test_a_verdict_names_organs_that_are_missing_from_the_input(plan_page, phantom_plan):
    missing = phantom_plan["plan"]["missing_structures"]
    assert missing
    expect(plan_page.locator("#verdict.safe")).to_contain_text("not kept clear of")
    expect(plan_page.locator("#verdict")).to_contain_text(missing[0].replace("_", " "))


@pytest.fixture
def page_with_slices(page: Page, phantom_plan: dict[str, Any]) -> tuple[Page, list[dict[str, Any]]]:
    """A page with the phantom's plan on it, and the first slices that it was sent, as they come."""
    slices: list[dict[str, Any]] = []

    def record_slices(answer: Any) -> None:
        if answer.url.endswith("/slices") and answer.ok:
            slices.append(answer.json()["slices"][0])

    page.on("response", record_slices)
    page.goto(phantom_plan["address"])
    # What is drawn late moves what is below it.
    page.wait_for_selector("#scene-plot .main-svg")
    page.wait_for_selector("#slices:not([hidden])")
    expect(page.locator("#verdict.safe")).to_be_visible()
    return page, slices


def settled_box(page: Page, canvas: Any) -> dict[str, float]:
    """Where the canvas is, once what is drawn late above it has moved it for the last time. [CSS pixels]"""
    for _ in range(60):
        box = canvas.bounding_box()
        page.wait_for_timeout(500)
        if box is not None and box == canvas.bounding_box():
            return dict(box)
    raise AssertionError("the page goes on moving")


def press_on_entry(page: Page) -> tuple[float, float, float]:
    """The pointer pressed on the entry in the first slice: where, and the slice's width. [CSS pixels]"""
    canvas = page.locator("#slices canvas").first
    canvas.scroll_into_view_if_needed()
    box, position = settled_box(page, canvas), entry_on(canvas)
    assert position is not None
    x, y = box["x"] + position[0] * box["width"], box["y"] + position[1] * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    return x, y, box["width"]


def end_mm(page: Page, end: str) -> np.ndarray:
    """Where the page says that the needle's entry or tip is, to a tenth of a millimetre."""
    return np.array([float(page.get_by_label(f"{end}, {axis}").input_value()) for axis in AXES])


@pytest.mark.long
def test_a_dragged_entry_moves_as_far_as_the_pointer(page_with_slices):
    page, slices = page_with_slices
    page.get_by_text("Points, mm, LPS").click()
    before, tip = end_mm(page, "Entry"), end_mm(page, "Tip")
    x, y, width = press_on_entry(page)
    slice, slices_before = slices[-1], len(slices)
    mm_of_pixel = slice["pixel_mm"] * slice["columns"] / width
    for shift in (4, 7, 10):
        page.mouse.move(x + shift, y)
    # A hand that rests still trembles, while verdicts come and the page around the slice grows.
    for n in range(30):
        page.mouse.move(x + 10 + n % 2, y)
        page.wait_for_timeout(50)
    page.mouse.move(x + 10, y + 3)
    expected_mm = mm_of_pixel * (10 * np.array(slice["right"]) + 3 * np.array(slice["down"]))
    assert end_mm(page, "Entry") - before == pytest.approx(expected_mm, abs=0.11)
    assert (end_mm(page, "Tip") == tip).all()
    assert len(slices) == slices_before, "a slice was cut under the pointer"
    with page.expect_response("**/slices"):
        page.mouse.up()
    page.wait_for_timeout(500)
    assert end_mm(page, "Entry") - before == pytest.approx(expected_mm, abs=0.11)
    assert page.locator("#paths tr.picked").count() == 0


@pytest.mark.long
def test_slices_stay_small_for_any_entry(page_with_slices):
    page, slices = page_with_slices
    page.get_by_text("Points, mm, LPS").click()
    for posterior_mm in ("-900", "1500", "-4000"):
        with page.expect_response("**/slices") as answer:
            page.get_by_label("Entry, posterior (P)").fill(posterior_mm)
            page.get_by_label("Entry, posterior (P)").press("Tab")
        answer.value.finished()
        page.wait_for_timeout(300)
        assert slices[-1]["columns"] <= 400 and slices[-1]["pixel_mm"] < 1.5
        # The target is on it.
        assert pixels_near(page.locator("#slices canvas").first, "--target") > 50


@pytest.mark.long
def test_needles_of_the_set_are_appraised_by_their_aim(plan_page, phantom_plan):
    needles = phantom_plan["plan"]["needle_set"]["path_ids"]
    for id in [path["id"] for path in phantom_plan["plan"]["paths"] if path["id"] in needles]:
        plan_page.locator(f"#paths input[value={id}]").check()
        expect(plan_page.locator("#verdict.safe")).to_contain_text("as a needle of the set")
    plan_page.locator(f"#paths input[value={phantom_plan['plan']['paths'][0]['id']}]").check()
    expect(plan_page.locator("#verdict.safe")).to_contain_text("as a path to the target")


def entry_on(canvas: Any) -> list[float] | None:
    """Where the round mark of the entry is, as parts of the slice: the tip's square does not reach as far."""
    position: list[float] | None = canvas.evaluate(
        """(c) => {
          const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
          const safe = getComputedStyle(document.documentElement).getPropertyValue("--safe").trim();
          const [r, g, b] = [1, 3, 5].map((n) => parseInt(safe.slice(n, n + 2), 16));
          const near = [-5, -3, 0, 3, 5];
          const across = [[-7, 0], [7, 0], [0, -7], [0, 7]];
          const is = (x, y) => {
            const n = 4 * (y * c.width + x);
            return data[n] === r && data[n + 1] === g && data[n + 2] === b;
          };
          const filled = (x, y) =>
            near.every((dy) => near.every((dx) => is(x + dx, y + dy))) &&
            across.every(([dx, dy]) => is(x + dx, y + dy));
          for (let y = 8; y < c.height - 8; y += 1) {
            for (let x = 8; x < c.width - 8; x += 1) {
              if (filled(x, y)) return [x / c.width, y / c.height];
            }
          }
          return null;
        }"""
    )
    return position


def pixels_near(canvas: Any, colour: str) -> int:
    """How many pixels of a canvas are nearly of a colour of the style sheet."""
    count: int = canvas.evaluate(
        """(c, name) => {
          const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
          const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
          const wanted = [1, 3, 5].map((n) => parseInt(hex.slice(n, n + 2), 16));
          let count = 0;
          for (let n = 0; n < data.length; n += 4) {
            if (wanted.every((value, k) => Math.abs(data[n + k] - value) < 60)) count += 1;
          }
          return count;
        }""",
        colour,
    )
    return count


@pytest.mark.long
def test_with_slices_unavailable_only_the_verdict_is_shown(page, phantom_plan):
    page.route("**/slices", lambda route: route.abort())
    page.goto(phantom_plan["address"])
    expect(page.locator("#slices")).to_contain_text("No slice: The service does not answer")
    expect(page.locator("#verdict.safe")).to_be_visible()
    for canvas in page.locator("#slices canvas").all():
        assert canvas.evaluate(
            """(c) => c.getContext("2d").getImageData(0, 0, c.width, c.height).data.every((v) => v === 0)"""
        )


@pytest.mark.long
def test_rotating_the_view_moves_no_needle_and_a_click_on_the_skin_does(plan_page):
    plan_page.wait_for_selector("#scene-plot .main-svg")
    plan_page.get_by_label("skin access").uncheck()
    plot = plan_page.locator("#scene-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    picked_row = plan_page.locator("#paths tr.picked")
    expect(picked_row).to_have_count(1)
    plan_page.mouse.move(x, y)
    plan_page.wait_for_timeout(1500)
    plan_page.mouse.down()
    plan_page.wait_for_timeout(800)
    plan_page.mouse.move(x + 60, y, steps=4)
    plan_page.mouse.up()
    plan_page.wait_for_timeout(1500)
    expect(picked_row).to_have_count(1)
    plan_page.get_by_role("button", name="front").click()
    plan_page.mouse.move(x, y)
    plan_page.wait_for_timeout(1500)
    plan_page.mouse.down()
    plan_page.wait_for_timeout(800)
    plan_page.mouse.up()
    expect(picked_row).to_have_count(0)


@pytest.mark.long
def test_planning_again_after_a_reload_keeps_fields_that_the_form_does_not_show(page, phantom_plan, api):
    case = parse_qs(urlsplit(phantom_plan["address"]).query)["case"][0]
    request = {"clearance_mm": {"aorta": 4.5}, "prescription": None, "search": {"covering_radius_mm": 4}}
    document = api.post(f"/v1/cases/{case}/plans", json=request, headers={"Prefer": "wait=250"}).json()
    # Without a name the target is every structure of that role.
    assert document["request"]["target"]["structure"] is not None
    page.goto(phantom_plan["address"].replace(phantom_plan["id"], document["plan_sha256"]))
    expect(page.locator("#status")).to_be_visible()
    page.get_by_label("Needle length").fill("190")
    with page.expect_response(lambda answer: answer.url.endswith("/plans")) as response_info:
        page.get_by_role("button", name="Plan", exact=True).click()
    body = response_info.value.request.post_data_json
    assert body["clearance_mm"] == {"default": 2.0, "aorta": 4.5}
    assert body["needle"]["max_length_mm"] == 190
    assert body["prescription"] is None
    unlike = {"needle": None, "prescription": None}
    assert body | unlike == document["request"] | unlike


@pytest.mark.long
def test_a_plan_is_not_shown_with_another_case(page, phantom_plan, api):
    other = api.post("/v1/cases", json={"builtin": "thorax"}).json()["id"]
    case = parse_qs(urlsplit(phantom_plan["address"]).query)["case"][0]
    page.goto(phantom_plan["address"].replace(case, other))
    expect(page.locator("#alert")).to_contain_text("made from another case")
    expect(page.locator("#status")).to_have_count(0)


@pytest.mark.long
def test_the_reasons_why_paths_are_blocked_are_listed(plan_page, phantom_plan):
    for blocker in phantom_plan["plan"]["blocked_by"][:5]:
        expect(plan_page.locator("#blocked")).to_contain_text(blocker["structure"].replace("_", " "))


@pytest.mark.long
def test_a_downloaded_plan_has_the_bytes_of_the_api(plan_page, phantom_plan, api):
    with plan_page.expect_download() as download:
        plan_page.get_by_role("link", name="Plan (JSON").click()
    content = Path(download.value.path()).read_bytes()
    assert content == api.get(f"/v1/plans/{phantom_plan['id']}").content
    assert json.loads(content)["plan_sha256"] == phantom_plan["id"]


@pytest.mark.long
def test_without_a_safe_path_the_page_shows_the_nearest_miss(plan_page):
    plan_page.get_by_label("Needle length").fill("30")
    plan_page.get_by_label("Needles, seeds and dose").uncheck()
    plan_page.get_by_role("button", name="Plan", exact=True).click()
    expect(plan_page.locator("#status")).to_contain_text("no path")
    plan_page.locator("#blocked").get_by_role("button", name="Show it").first.click()
    expect(plan_page.locator("#verdict.unsafe")).to_be_visible()


@pytest.mark.long
def test_the_built_in_thorax_is_drawn_and_its_planning_can_be_cancelled(page):
    page.get_by_role("button", name="Use the built-in thorax").click()
    page.wait_for_selector("#scene-plot .main-svg")
    page.get_by_role("button", name="Plan", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#job")).to_contain_text("cancelled")
    expect(page.locator("#status")).to_have_count(0)


@pytest.mark.long
def test_invalid_fields_are_named(plan_page):
    plan_page.get_by_text("All other fields, as JSON").click()
    plan_page.get_by_label("Fields here override").fill('{"search": {"max_paths": 10, "wrong": 1}}')
    plan_page.get_by_role("button", name="Plan", exact=True).click()
    expect(plan_page.locator("#alert")).to_contain_text("/search/wrong")
    plan_page.get_by_label("Fields here override").fill("{")
    plan_page.get_by_role("button", name="Plan", exact=True).click()
    expect(plan_page.locator("#alert")).to_contain_text("cannot be read")


@pytest.mark.long
@pytest.mark.parametrize(
    ("size", "scheme"), [((1366, 768), "light"), ((834, 1112), "dark"), ((1112, 834), "light")]
)
def test_the_page_fits_laptops_and_tablets_in_light_and_dark_with_every_control_named(
    browser, base, token, phantom_plan, size, scheme
):
    options = {"viewport": {"width": size[0], "height": size[1]}, "color_scheme": scheme}
    pages = open_page(browser, base, token, **options)
    page = next(pages)
    page.goto(phantom_plan["address"])
    expect(page.locator("#status")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_selector("#slices:not([hidden])")
    assert page.evaluate(TOO_WIDE) <= 0
    assert page.evaluate(CONTROLS) == []
    background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    is_light = (
        sum(int(part) for part in background.removeprefix("rgb(").removesuffix(")").split(",")) > 3 * 128
    )
    assert is_light == (scheme == "light")
    page.get_by_label("Colours").select_option("dark" if is_light else "light")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") != background
    assert next(pages, None) is None


def test_the_page_has_its_own_content_security_policy_and_only_its_own_files(base, api):
    with httpx.Client(base_url=base, trust_env=False) as keyless:
        answer = keyless.get("/")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy
        response = keyless.get("/", headers={"If-None-Match": answer.headers["etag"]})
        assert response.status_code == 304
        library = keyless.get("/page/plotly.min.js")
        assert library.headers["content-type"].startswith("text/javascript")
        for name in ("nothing.js", "..%2fapp.py", "%2e%2e/app.py", "main.js/"):
            assert keyless.get(f"/page/{name}").status_code in (401, 404), name
        assert keyless.get("/v1/cases").status_code == 401
        assert "default-src 'none'" in keyless.get("/v1/health").headers["content-security-policy"]

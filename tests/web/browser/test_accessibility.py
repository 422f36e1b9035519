"""What axe finds on each page, in each state, light and dark, on a wide and on a narrow screen: nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from examples.shop import app
from tests.web.browser.conftest import NARROW, WIDE, Visit, Visitors, visitors_of
from tests.web.browser.everywhere import FILLED, PLACES, addresses, filled

ALL: Mapping[str, object] = {}
CONTRAST: Mapping[str, object] = {"runOnly": ["color-contrast"]}

LOOKS: Sequence[tuple[int, Literal["light", "dark"], Mapping[str, object]]] = [
    (WIDE, "light", ALL),
    (WIDE, "dark", CONTRAST),
    (NARROW, "dark", ALL),
    (NARROW, "light", CONTRAST),
]
"""Widths and colours, with the rules that are asked for: where only the colours are others, those about colours."""

OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"

WIDTH = "document.documentElement.scrollWidth"

ASK = """options => axe.run(options).then(found => found.violations.map(
    broken => `${broken.id}: ${broken.nodes.slice(0, 2).map(node => node.html.slice(0, 120))}`))"""
"""Each rule that is broken, with the first elements that break it."""


def violations(page: Page, rules: Mapping[str, object] = ALL) -> list[str]:
    """What axe finds on a page."""
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(Axe().axe_script)
    found: list[str] = page.evaluate(ASK, {**rules, "resultTypes": ["violations"]})
    return found


def seen(visit: Visit, path: str) -> Iterator[str]:
    """What is wrong with a page in each look, all of it unfolded."""
    page = visit.to(path)
    page.evaluate(OPEN_ALL)
    for width, colours, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colours, reduced_motion="reduce")
        yield from (f"{width} {colours}: {found}" for found in violations(page, rules))
        if page.evaluate(WIDTH) > width:
            yield f"{width} {colours}: it is wider than the window"


def wrong(visit: Visit, paths: list[str]) -> dict[str, list[str]]:
    """What is wrong with some pages, by path."""
    return {path: found for path in paths if (found := list(seen(visit, path)))}


def test_each_page_whose_path_has_a_place_to_be_filled_is_filled() -> None:
    assert set(FILLED) == {place for place in PLACES if "{" in place}


def test_axe_finds_nothing(looking: Visitors, scene: tuple[str, Engine]) -> None:
    assert wrong(looking.visit(), addresses(app.insight(scene[1]))) == {}


@pytest.mark.parametrize("scene", ["busy"], indirect=True)
def test_a_busy_shop_has_something_to_show_on_each_page(looking: Visitors, scene: tuple[str, Engine]) -> None:
    visit, insight = looking.visit(scripts=False), app.insight(scene[1])
    found = {place: visit.to(filled(insight, place)[0]).locator("h1").inner_text() for place in PLACES}

    assert [place for place, heading in found.items() if heading == "Not found"] == ["/works/{name:path}"]


def test_axe_finds_nothing_where_visitors_have_to_log_in(browser: Browser, busy: Engine) -> None:
    with visitors_of(browser, busy, token="sesame") as guarded:
        visit = guarded.visit()
        assert wrong(visit, ["/", "/login"]) == {}
        page = visit.to("/login")
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("main")).to_contain_text("The token is wrong.")
        assert violations(page) == []


def test_axe_finds_nothing_in_what_has_faded_or_is_asked(acting: Visitors, busy: Engine) -> None:
    """Also if an entry fades since it is gone, and while the keys are shown."""
    page = acting.visit().to("/")
    expect(page.locator("#live.on")).to_have_count(1)
    with app.serving(busy):
        expect(page.locator(".attention .elsewhere")).to_have_count(1)
        assert violations(page) == []
    page.keyboard.press("?")
    assert violations(page) == []


def test_nothing_moves_for_those_who_want_no_motion(looking: Visitors) -> None:
    page = looking.visit().to("/")
    page.emulate_media(reduced_motion="reduce")
    moving = (
        "[...document.querySelectorAll('*')].filter(one => parseFloat(getComputedStyle(one).transitionDuration) > 0 ||"
    )
    moving += " getComputedStyle(one).animationName !== 'none').map(one => one.outerHTML.slice(0, 80))"

    assert page.evaluate(moving) == []

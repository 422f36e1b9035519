"""What axe finds on each page, in each state, in the light, in the dark and on a narrow screen: nothing."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from afterwork.web.render import MENU
from examples.shop import app
from tests.web.browser.conftest import NARROW, WIDE, Visitors

LOOKS = [(WIDE, False), (WIDE, True), (NARROW, False)]

OPTIONS = {"resultTypes": ["violations"]}


def violations(page: Page) -> list[str]:
    """What is wrong with a page, each rule with the first elements that break it."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:2]]}" for one in found]


def paths(engine: Engine) -> list[str]:
    """Each page of the menu, and one of each kind that it leads to."""
    insight = app.insight(engine)
    groups, tickets = insight.failure_groups(), insight.tickets().tickets
    return [
        *(entry.path for entry in MENU),
        *(f"/failures?work={group.work}&group={group.id}" for group in groups if group.trace),
        *(f"/tickets/{ticket.key}" for ticket in tickets[:1]),
        "/tickets?state=failed",
        "/timers/ExportOrder",
        "/caches/Order.total",
        "/caches/Order.total/Order!1",
        "/nothing-is-here",
    ]


@pytest.mark.parametrize(("width", "dark"), LOOKS, ids=["wide", "dark", "narrow"])
def test_axe_finds_nothing(looking: Visitors, scene: tuple[str, Engine], width: int, dark: bool) -> None:
    visit = looking.visit(width=width, dark=dark)
    assert {path: found for path in paths(scene[1]) if (found := violations(visit.to(path)))} == {}


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

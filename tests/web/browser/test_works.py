"""The pages of works, and the graph of everything derived, in a real browser."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from examples.shop import Customer, app
from tests.web.browser.conftest import NARROW, Visitors

PATHS = (
    "/works?span=week",
    "/works/Customer.assign_number",
    "/works/Order.total?span=day",
    "/works/ExportOrder?span=week",
    "/graph?member=OrderLine.quantity",
)

BUSY = pytest.mark.parametrize("scene", ["busy"], indirect=True)

WIDTH = "document.documentElement.scrollWidth"


@BUSY
def test_all_is_read_without_scripts_and_in_the_dark_on_a_narrow_screen(looking: Visitors) -> None:
    visit = looking.visit(width=NARROW, dark=True, scripts=False)
    for path in PATHS:
        expect(visit.to(path).locator("h1")).to_be_visible()
        assert visit.told() == []
        assert visit.page.evaluate(WIDTH) == NARROW
    page = visit.to("/works")
    page.get_by_role("link", name="week").click()
    expect(page.get_by_role("heading", name="The last week")).to_be_visible()
    page.get_by_role("link", name="Order.total").click()
    expect(page.get_by_role("heading", name="Its own code")).to_be_visible()


@BUSY
def test_the_graph_is_walked_by_keyboard(looking: Visitors) -> None:
    page = looking.visit().to("/graph")
    page.locator('svg.aw a[href="/graph?member=OrderLine.quantity"]').focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="If OrderLine.quantity changes")).to_be_visible()

    page.get_by_label("The object whose quantity would change").fill("OrderLine!1")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Order.total")
    page.go_back()
    page.locator('svg.aw a[href="/works/Order.total"]').click()

    expect(page.locator("h1")).to_contain_text("Order.total")


def test_a_work_follows_what_goes_on(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/works/Customer.remind")
    waiting = page.locator(".tile", has_text="Waiting").locator(".value")
    expect(waiting).to_have_text("1")
    with Session(busy) as session, session.begin():
        aw.later(session.get_one(Customer, 3).remind)

    expect(waiting).to_have_text("2")


def test_how_often_a_page_looks_is_chosen_and_stays(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/works")
    expect(page.locator("#live.on")).to_have_count(1)
    with page.expect_request(lambda asked: "every=60" in asked.url):
        page.get_by_label("Look for what is new").select_option("60")
    with page.expect_request(lambda asked: "every=60" in asked.url):
        page.goto(acting.address)

    expect(page.get_by_label("Look for what is new")).to_have_value("60")
    page.set_viewport_size({"width": NARROW, "height": 900})
    assert page.evaluate(WIDTH) == NARROW
    assert app.insight(busy).works().total.ended  # which the page shows meanwhile

"""The menu in a real browser."""

from playwright.sync_api import expect
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.web.menu import MENU
from examples.shop import Customer
from tests.web.browser.conftest import NARROW, WIDE, Visitors


def test_the_counts_in_the_menu_follow_what_goes_on_beside_links_that_still_lead_on(
    acting: Visitors, busy: Engine
) -> None:
    pages = [acting.visit(width=width).to("/works") for width in (WIDE, NARROW)]
    counts = [page.locator("#menu-t .count") for page in pages]
    for count in counts:
        expect(count).to_have_text("1 waiting")
    with Session(busy) as session, session.begin():
        aw.later(session.get_one(Customer, 3).remind)

    for count in counts:
        expect(count).to_have_text("2 waiting")
    for page in pages:
        page.locator("#menu-t").click()  # what lies upon the link does not catch clicks
        expect(page.locator("h1")).to_have_text("Tickets")


def test_the_counts_are_read_without_scripts(acting: Visitors, busy: Engine) -> None:
    count = acting.visit(scripts=False).to("/works").locator("#menu-t .count")

    expect(count).to_have_text("1 waiting")
    expect(count).to_be_visible()


def test_on_a_narrow_screen_the_entry_of_the_page_is_in_view(acting: Visitors) -> None:
    page = acting.visit(width=NARROW).page
    for entry in MENU:
        page.goto(acting.address + entry.path.removeprefix("/"))
        expect(page.locator("[data-help]")).to_have_count(1)
        expect(page.locator(f"#menu-{entry.key} a[aria-current]")).to_be_in_viewport(ratio=1)

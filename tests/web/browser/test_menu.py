"""The menu in a real browser."""

from playwright.sync_api import expect
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
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

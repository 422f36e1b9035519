"""Pages that are open while their visitor is no longer let in, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from tests.web.browser.conftest import Visitors, visitors_of


@pytest.fixture
def guarded(browser: Browser, busy: Engine) -> Iterator[Visitors]:
    """Visitors of a page that a token opens."""
    with visitors_of(browser, busy, token="sesame") as visitors:
        yield visitors


def logged_in(guarded: Visitors, path: str) -> Page:
    page = guarded.visit().to(path)
    page.get_by_label("Token").fill("sesame")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#live")).to_have_text("live")
    return page


def test_an_open_page_says_that_it_can_not_act_when_its_session_has_ended(guarded: Visitors) -> None:
    page = logged_in(guarded, "/lanes")
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Log out").click()
    expect(other.get_by_label("Token")).to_be_visible()

    expect(page.get_by_role("alert")).to_contain_text("This page shows what was, and can't act.")
    expect(page.locator("#live")).to_have_text("logged out")
    page.get_by_role("link", name="Reload it.").click()
    expect(page.get_by_label("Token")).to_be_visible()


def test_a_page_that_comes_back_after_its_session_says_so_too(guarded: Visitors) -> None:
    """As one does that was paused meanwhile: it asks again, and is refused."""
    page = logged_in(guarded, "/lanes")
    page.get_by_role("button", name="Pause", exact=True).first.click()
    page.context.clear_cookies()
    page.get_by_role("button", name="Resume", exact=True).first.click()

    expect(page.get_by_role("alert")).to_contain_text("You are not logged in any more.")

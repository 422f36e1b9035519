"""Every act, done in a browser as a visitor does it."""

from playwright.sync_api import Browser, Dialog, Page, expect
from sqlalchemy import Engine

from examples.shop import app
from tests.web.browser.conftest import Visitors, visitors_of

ACTING = ["/tickets", "/tickets/13", "/timers/FetchRates", "/lanes", "/caches/Order.total/Order!2"]
"""Pages with something to press."""


def pressed(page: Page, button: str) -> str:
    """Press a button and say yes to what is asked; what the page then says was done."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("main").get_by_role("button", name=button, exact=True).first.click()
    said = page.locator("body > .said")
    expect(said).to_be_visible()
    return said.inner_text()


def states(engine: Engine) -> dict[str, str]:
    """The state of each ticket, by key."""
    return {one.key: one.state for one in app.insight(engine).tickets(limit=100).tickets}


def test_tickets_that_are_ticked_run_again(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/tickets")
    for key in ("3", "5"):
        page.get_by_label(f"Select ticket {key}", exact=True).check()
    expect(page.locator("[data-selected]")).to_have_text("2 selected")

    assert pressed(page, "Retry").startswith("2 tickets")
    found = states(busy)
    assert [found[key] for key in ("3", "5", "4")] == ["waiting", "waiting", "done"]


def test_all_rows_are_ticked_at_once_and_what_is_for_later_runs_now(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/tickets?state=scheduled")
    page.locator("[data-all]").check()

    assert pressed(page, "Run now").startswith("1 ticket")
    assert states(busy)["14"] == "waiting"


def test_all_that_match_are_cancelled_after_a_question(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/tickets?q=work:Customer.remind")
    page.get_by_label("all that match").check()

    assert pressed(page, "Cancel").startswith("2 tickets")
    found = states(busy)
    assert (found["13"], found["14"], found["12"]) == ("failed", "failed", "done")


def test_no_to_the_question_leaves_all_as_it_is(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/tickets/13")
    asked: list[str] = []

    def no(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", no)
    page.get_by_role("button", name="Cancel", exact=True).click()

    assert len(asked) == 1
    assert states(busy)["13"] == "waiting"


def test_a_timer_shows_what_it_would_match_runs_and_is_paused(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/timers/FetchRates")
    page.get_by_role("link", name="What would it match?").click()
    expect(page.locator("main")).to_contain_text("FetchRates")

    pressed(page, "Pause")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert [one.paused for one in app.insight(busy).timers() if one.name == "FetchRates"] == [True]
    pressed(page, "Resume")
    assert [one.paused for one in app.insight(busy).timers() if one.name == "FetchRates"] == [False]


def test_a_lane_is_resumed(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/lanes")

    pressed(page, "Resume")
    assert app.insight(busy).status().paused == []


def test_a_cache_is_calculated_again(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/caches/Order.total/Order!2")

    pressed(page, "Recompute")
    assert app.insight(busy).status().stale.number >= 1


def test_who_may_only_read_has_nothing_to_press(browser: Browser, busy: Engine) -> None:
    with visitors_of(browser, busy, read_only=True) as found:
        visit = found.visit()
        for path in ACTING:
            page = visit.to(path)

            expect(page.locator("h1")).to_be_visible()
            assert (path, page.locator('form[method="post"] button:not(:disabled)').count()) == (path, 0)


def test_a_row_is_ticked_and_retried_by_keyboard_alone(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/")
    page.keyboard.press("t")
    expect(page.locator("h1")).to_have_text("Tickets")
    ticked = page.get_by_label("Select ticket 3", exact=True)
    ticked.focus()
    page.keyboard.press("Space")
    expect(ticked).to_be_checked()
    page.get_by_role("button", name="Retry", exact=True).focus()
    page.keyboard.press("Enter")

    expect(page.locator("body > .said")).to_contain_text("1 ticket")
    assert states(busy)["3"] == "waiting"


def test_a_visitor_logs_in_with_the_token_and_out(browser: Browser, busy: Engine) -> None:
    with visitors_of(browser, busy, token="sesame") as found:
        page = found.visit().to("/tickets?state=done")
        page.get_by_label("Token").fill("sesame")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Tickets")
        page.get_by_role("button", name="Log out").click()
        expect(page.locator("h1")).to_have_text("Log in")

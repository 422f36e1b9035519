"""What holds for each page, whatever it shows."""

import re
from collections.abc import Mapping

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.web.menu import MENU
from examples.shop import Customer, OrderLine, app
from tests.web.browser.conftest import NARROW, WIDE, Visit, Visitors

WIDTHS = (WIDE, NARROW)

PATHS = [*(entry.path for entry in MENU), "/works/Customer.assign_number?span=week", "/works/Order.total?span=day"]

BUSY = pytest.mark.parametrize("scene", ["busy"], indirect=True)
"""For what does not depend on what goes on."""

WATCH = """() => {
  window.shifts = [];
  new PerformanceObserver(list => window.shifts.push(...list.getEntries())).observe({type: 'layout-shift'});
  window.news = new Promise(done => new MutationObserver(done)
    .observe(document.querySelector('#main'), {childList: true, subtree: true, characterData: true}));
}"""
"""Look out for what moves without having been touched."""

SHIFTED = """async () => {
  await Promise.race([window.news, new Promise((done, fail) =>
    setTimeout(() => fail(new Error('nothing new came within 20 s')), 20000))]);
  await new Promise(painted => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(painted))));
  const moved = window.shifts.flatMap(one => one.sources).map(one => one.node?.textContent.trim().slice(0, 60));
  return [window.shifts.reduce((sum, one) => sum + one.value, 0), moved];
}"""
"""How much has moved, and what, once the page has had something new and is painted."""

STEADY = 0.01
"""A tenth of the layout shift that is still good, as web.dev/cls has it."""


UNNAMED = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select')]
    .filter(one => !(one.textContent.trim() || one.ariaLabel || one.title || one.labels?.length))
    .map(one => one.outerHTML)"""
OUT_OF_ORDER = """() => [...document.querySelectorAll('[tabindex]')].filter(one => one.tabIndex > 0)
    .map(one => one.outerHTML)"""
WIDTH = "document.documentElement.scrollWidth"


def test_each_page_is_shown_without_trouble(looking: Visitors) -> None:
    """No error in the browser, nothing from other hosts, one heading, no name taken over; all that can be pressed is
    named, and reached by keyboard; and on a narrow screen, and in the dark, it is no wider than the window."""
    visit = looking.visit()
    assert {path: found for path in PATHS if (found := troubles(visit, path))} == {}


def troubles(visit: Visit, path: str) -> list[str]:
    """What is wrong with a page."""
    page = visit.page
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": WIDE, "height": 900})
    visit.to(path)
    expect(page.locator("h1")).to_have_count(1)
    if page.locator("#main[data-live]").count():
        expect(page.locator("#live.on")).to_have_count(1)
    troubles: list[str] = [*page.evaluate(UNNAMED), *page.evaluate(OUT_OF_ORDER)]
    if not page.title().endswith("Afterwork"):
        troubles.append(page.title())
    if page.evaluate(WIDTH) > WIDE:
        troubles.append("it is wider than a wide window")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": NARROW, "height": 900})
    if page.evaluate(WIDTH) > NARROW:
        troubles.append("it is wider than a narrow window")
    return troubles + visit.told()


def test_each_page_reads_without_scripts(looking: Visitors) -> None:
    visit = looking.visit(scripts=False)
    for path in PATHS:
        expect(visit.to(path).locator("h1")).to_be_visible()
        assert (path, visit.told()) == (path, [])


@BUSY
def test_without_scripts_links_lead_on(looking: Visitors) -> None:
    page = looking.visit(scripts=False).to("/")
    page.get_by_role("link", name="Tickets", exact=True).first.click()

    expect(page.locator("h1")).to_have_text("Tickets")


@BUSY
def test_the_first_tab_leads_to_the_content(looking: Visitors) -> None:
    page = looking.visit().to("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()


@BUSY
def test_keys_lead_to_each_page(looking: Visitors) -> None:
    page = looking.visit().to("/")
    for entry in (*MENU[1:], MENU[0]):
        expect(page.locator("[data-help]")).to_be_visible()  # so the script has run
        page.keyboard.press(entry.key)
        expect(page.locator(f'.menu a[data-key="{entry.key}"][aria-current="page"]')).to_have_count(1)


@BUSY
def test_a_question_mark_tells_the_keys(looking: Visitors) -> None:
    page = looking.visit().to("/")
    page.keyboard.press("?")

    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()


@BUSY
def test_light_and_dark_can_be_switched_and_stay(looking: Visitors) -> None:
    page = looking.visit().to("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.keyboard.press("y")
    dark = page.evaluate(ground)
    page.reload()

    assert light != dark
    assert page.evaluate(ground) == dark


def test_a_page_follows_what_goes_on(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/")
    tile = page.locator(".tile", has_text="Oldest ticket").locator(".note")
    expect(tile).to_have_text("2 waiting")
    with Session(busy) as session, session.begin():
        aw.later(session.get_one(Customer, 3).remind)

    expect(tile).to_have_text("3 waiting")


def watched(acting: Visitors, *paths: str) -> dict[tuple[str, int], Page]:
    """Pages that follow what goes on, in wide and in narrow windows, by path and width."""
    pages = {(path, width): acting.visit(width=width).to(f"{path}") for path in paths for width in WIDTHS}
    for page in pages.values():
        expect(page.locator("#live.on")).to_have_count(1)
        page.evaluate(WATCH)
    return pages


def jumping(pages: Mapping[tuple[str, int], Page]) -> dict[tuple[str, int], list[str]]:
    """Those of the pages on which something has moved, and what."""
    shifted = {name: page.evaluate(SHIFTED) for name, page in pages.items()}
    return {name: moved for name, (much, moved) in shifted.items() if much >= STEADY}


def test_nothing_jumps_while_a_page_follows(acting: Visitors, busy: Engine) -> None:
    """Also if a server comes, works and goes again."""
    pages = watched(acting, "/", "/tickets", "/caches", "/lanes")
    servers = [pages["/lanes", width].locator(".badge.alive") for width in WIDTHS]
    with app.serving(busy):
        with Session(busy) as session, session.begin():
            aw.later(session.get_one(Customer, 3).remind)
            session.get_one(OrderLine, 3).quantity = 9
        for server in servers:
            expect(server).to_be_visible()
    for server in servers:
        expect(server).to_be_hidden()

    assert jumping(pages) == {}


def test_nothing_jumps_while_what_needs_attention_comes_and_goes(acting: Visitors, busy: Engine) -> None:
    pages = watched(acting, "/")
    gone = {name: page.locator(".attention .elsewhere") for name, page in pages.items()}
    told = {name: page.locator(".attention li") for name, page in pages.items()}
    for one in told.values():
        expect(one).to_have_text([re.compile("No server is running"), re.compile("The lane mail is paused")])

    with app.serving(busy):  # its entry fades, and what is new comes after the others
        app.control(busy).pause("numbers")
        for one in gone.values():
            expect(one).to_have_text([re.compile("No server is running")])
        for one in told.values():  # on a busy machine, others come and go as well
            expect(one.filter(has_text="The lane numbers is paused")).to_have_count(1)
    app.control(busy).resume("numbers")

    for name, one in told.items():
        expect(gone[name]).to_have_count(0)
        expect(one).to_have_text([re.compile("No server is running"), re.compile("The lane mail is paused")])
    assert jumping(pages) == {}


KEEP_THE_TABLE = """document.addEventListener('DOMContentLoaded', () => {
    window.table = document.querySelector('#main table');
})"""


def test_what_has_the_focus_keeps_it_while_the_page_follows(acting: Visitors, busy: Engine) -> None:
    visit = acting.visit()
    visit.page.add_init_script(KEEP_THE_TABLE)
    page = visit.to("/tickets")
    ticked = page.get_by_label("Select ticket 3", exact=True)
    ticked.check()
    ticked.focus()
    with Session(busy) as session, session.begin():
        aw.later(session.get_one(Customer, 3).remind)

    expect(page.get_by_role("link", name="waiting 2")).to_be_visible()
    expect(ticked).to_be_focused()
    expect(ticked).to_be_checked()
    assert page.evaluate("window.table.isConnected")  # it was not made anew


def test_a_page_can_be_stopped_and_goes_on(acting: Visitors, busy: Engine) -> None:
    page = acting.visit().to("/")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#live")).to_have_text("paused")
    with Session(busy) as session, session.begin():
        aw.later(session.get_one(Customer, 3).remind)
    page.get_by_role("button", name="Resume", exact=True).click()

    expect(page.locator(".tile", has_text="Oldest ticket").locator(".note")).to_have_text("3 waiting")

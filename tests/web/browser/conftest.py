"""The web page in a real browser: Debian's Chromium, driven by Playwright. Skipped where there is none."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sqlalchemy import Engine, create_engine

import afterwork as aw
from afterwork.web import live
from afterwork.web.serving import served
from examples.shop import app, create
from tests.web.browser import scenes

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

WIDE, NARROW = 1200, 360

EVERY = 0.5
"""Seconds after which a page here looks for what is new."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    reason = "There is no Chromium. Install it (apt-get install chromium), or set CHROMIUM to where it is."
    for item in items:
        if CHROMIUM is None and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # Not for longer than this package: while Playwright is there, no other test can run an event loop in its thread.
    expect.set_options(timeout=30_000)  # for a machine that has much else to do
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages follow soon what goes on."""
    monkeypatch.setattr(live, "EVERY", EVERY)


@dataclass
class Visit:
    """A visitor of one page, and what went wrong in their browser: messages of its console, errors, foreign hosts."""

    address: str
    page: Page
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on(
            "console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda asked: self._check(asked.url))

    def told(self) -> list[str]:
        """What went wrong since this was last asked."""
        troubles = list(self.wrong)
        self.wrong.clear()
        return troubles

    def _check(self, url: str) -> None:
        if not url.startswith((self.address, "data:")):
            self.wrong.append(f"asks for {url}")

    def to(self, path: str) -> Page:
        """Go to a path of the page."""
        self.page.goto(self.address + path.removeprefix("/"))
        return self.page


class Visitors:
    """Opens windows of a browser on one address."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.address = address
        self._browser = browser
        self._open: list[BrowserContext] = []

    def visit(self, *, width: int = WIDE, dark: bool = False, scripts: bool = True) -> Visit:
        context = self._browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )  # fmt: skip
        context.set_default_timeout(30_000)
        self._open.append(context)
        return Visit(self.address, context.new_page())

    def close(self) -> None:
        for context in self._open:
            context.close()


@contextmanager
def visitors_of(browser: Browser, engine: Engine, **options: object) -> Iterator[Visitors]:
    """Visitors of the shop's page on a database."""
    with served(aw.web(app, engine, **options), "127.0.0.1", 0) as address:  # type: ignore[arg-type]
        visitors = Visitors(browser, address)
        try:
            yield visitors
        finally:
            visitors.close()


def made(folder: Path, scene: str) -> Engine:
    """A shop in a SQLite file in which a scene has been played."""
    engine = create_engine(f"sqlite:///{folder / scene}.db")
    create(engine)
    app.install(engine)
    getattr(scenes, scene)(engine)
    return engine


@pytest.fixture(scope="package", params=["empty", "busy", "failing"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Engine]]:
    """A shop in which nothing is yet, or much goes on, or much goes wrong. Only to be looked at."""
    name: str = request.param
    engine = made(tmp_path_factory.mktemp("scene"), name)
    yield name, engine
    engine.dispose()


@pytest.fixture(scope="package")
def shown(scene: tuple[str, Engine]) -> Iterator[str]:
    """The address at which a scene is shown."""
    with served(aw.web(app, scene[1]), "127.0.0.1", 0) as address:
        yield address


@pytest.fixture
def looking(browser: Browser, shown: str) -> Iterator[Visitors]:
    """Visitors who look at a scene."""
    visitors = Visitors(browser, shown)
    yield visitors
    visitors.close()


@pytest.fixture(scope="package")
def busy_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file in which a busy shop is, to be copied."""
    engine = made(tmp_path_factory.mktemp("busy"), "busy")
    engine.dispose()
    return Path(str(engine.url.database))


@pytest.fixture
def busy(busy_shop: Path, tmp_path: Path) -> Iterator[Engine]:
    """A busy shop of one's own, to act in."""
    engine = create_engine(f"sqlite:///{shutil.copy(busy_shop, tmp_path)}")
    yield engine
    engine.dispose()


@pytest.fixture
def acting(browser: Browser, busy: Engine) -> Iterator[Visitors]:
    """Visitors who act in a busy shop."""
    with visitors_of(browser, busy) as found:
        yield found

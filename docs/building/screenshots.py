"""Take the pictures of the web page that the site shows: `make pictures`.

The demo's shop is served and written to as the demo does it, in a database of its own, and a real browser looks.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine

from examples.shop import app
from examples.shop.bookkeeping import Bookkeeping, open_for_business
from examples.shop.demo.look import look, pending, unrested
from examples.shop.demo.stage import Outside, serving, stage
from examples.shop.demo.writers import stock_up, writing

PAGES = {
    "overview": ("/", 440),
    "tickets": ("/tickets", 560),
    "value": ("/caches/Customer.total/Customer!1", 720),
    "machine": ("/machines/Order.flow", 760),
    "work": ("/works/Order.total", 900),
    "graph": ("/graph?member=OrderLine.quantity", 860),
}
"""The pages that are shown, each with its path and with how much of it is shown, in pixels from the top."""

SHOP = "examples.shop:app"

SCHEMES = ("light", "dark")

WIDTH = 1180

ENOUGH = 400
"""Numbers that are given to customers and orders before the writers stop."""

WITHIN = 60.0
"""The longest time, in seconds, to wait for something that is to be seen."""

HERE = Path(__file__).resolve().parents[1] / "pictures"


def chromium() -> str | None:
    """Return where the browser is; None if there is none."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def shop_at_work(enough: int) -> Iterator[str]:
    """Yield the address of the page of a shop in which much has happened, and is done."""
    with (
        stage(None, SHOP) as found,
        open_for_business(Bookkeeping(["well"])) as office,
        open_for_business(Bookkeeping(["well"])) as depot,
        open_for_business(Bookkeeping(["well"])) as post,
        serving(SHOP, found.url, Outside(office, depot, post)) as server,
    ):
        stock_up(found.engine)
        server.wait_until_ready(found.engine)
        with writing(found.engine, seed=7) as writers:
            wait_until(lambda: look(found.engine, 0.0, writers.saved).numbered >= enough)
        wait_until(lambda: is_at_rest(found.engine))
        yield f"http://{server.page}"


def is_at_rest(engine: Engine) -> bool:
    """Return whether all is done that was asked for, and the sums of it are there to be shown."""
    return not pending(engine) and not unrested(engine) and bool(app.insight(engine).totals())


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so. What is not so after `WITHIN` seconds is shown as it is then."""
    began = time.monotonic()
    while not is_so() and time.monotonic() - began < WITHIN:
        time.sleep(0.1)


def take(browser: Browser, address: str, folder: Path) -> list[Path]:
    """Take a picture of each page in each scheme of colours, and return the files."""
    pictures = []
    for scheme in SCHEMES:
        context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        for name, (path, height) in PAGES.items():
            page.set_viewport_size({"width": WIDTH, "height": height})
            # The page holds a stream open, so that the network is never idle.
            response = page.goto(address + path, wait_until="load")
            if response is None or not response.ok:
                raise click.ClickException(f"{path} answers {response and response.status}.")
            file = folder / f"{name}-{scheme}.png"
            page.screenshot(path=file, animations="disabled")
            pictures.append(file)
        context.close()
    return pictures


@click.command()
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), default=HERE, help="Where they go.")
@click.option("--enough", default=ENOUGH, show_default=True, help="The numbers given out before the first picture.")
def main(folder: Path, enough: int) -> None:
    """Take pictures of the web page of a shop at work."""
    program = chromium()
    if program is None:
        raise click.ClickException(
            "There is no Chromium to take pictures with. Install it (apt-get install chromium), or set CHROMIUM to "
            "where it is. The site can be built without: its pictures are kept in docs/pictures."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with shop_at_work(enough) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for file in take(browser, address, folder):
            click.echo(f"{file}  {file.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())

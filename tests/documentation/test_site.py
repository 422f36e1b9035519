"""The site is built without a warning, asks no other host for anything, and works in a browser, its search included."""

import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page, sync_playwright

from docs.building.screenshots import PAGES as PICTURED
from docs.building.screenshots import SCHEMES, chromium
from tests.documentation.blocks import ROOT

LOADED = {"script": "src", "link": "href", "img": "src", "source": "srcset", "iframe": "src", "video": "src"}
"""Elements for which a browser asks at once, each with the attribute that says where. People follow other links."""


class Links(HTMLParser):
    """What a page loads, where it leads, and which places it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.followed: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given["id"]} if "id" in given else set()
        if tag in LOADED and given.get(LOADED[tag]):
            self.loaded.append(given[LOADED[tag]])
        elif tag == "a" and given.get("href"):
            self.followed.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    strict = ["--quiet", "--fresh-env", "--fail-on-warning", "--keep-going", "--doctree-dir", str(folder / "trees")]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *strict, "docs", str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


def pages_of(site: Path) -> dict[Path, Links]:
    return {path: Links(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_the_site_asks_no_other_host_for_anything_and_its_links_lead_somewhere(site: Path) -> None:
    pages = pages_of(site)
    foreign = [link for links in pages.values() for link in links.loaded if re.match(r"(https?:)?//", link)]
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    broken = [
        f"{path.relative_to(site)}: {link}"
        for path, links in pages.items()
        for link in [*links.loaded, *links.followed]
        if not re.match(r"(https?|mailto|data):", link) and not leads_somewhere(path, link, pages)
    ]

    assert len(pages) > 90
    assert foreign == []
    assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)'\"]*", styles) == []
    assert broken == []


def leads_somewhere(path: Path, link: str, pages: dict[Path, Links]) -> bool:
    """Whether a link within the site leads to a file, and to a place that is there."""
    address, _, place = link.partition("#")
    target = (path.parent / address.partition("?")[0]).resolve() if address else path
    return target.exists() and (not place or target not in pages or place in pages[target].places)


def test_a_name_that_a_docstring_mentions_leads_to_its_description(site: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (site / "reference").glob("*.html"))
    names = re.findall(r'(<a [^>]*>)?<code class="xref py py-obj[^>]*><span class="pre">([^<]*)', text)

    assert len(names) > 100
    assert {name for link, name in names if not link} == PYTHONS_OWN


PYTHONS_OWN = {"ImportError", "TimeoutError", "TypeError", "ValueError"}
"""Names that errors derive from, and that Python's own reference describes."""


def test_each_picture_is_there_for_each_scheme_of_colours() -> None:
    kept = {path.name for path in (ROOT / "docs/pictures").iterdir()}

    assert kept == {f"{name}-{scheme}.png" for name in PICTURED for scheme in SCHEMES}


WITH_CHROMIUM = pytest.mark.skipif(
    chromium() is None, reason="There is no Chromium. Install it, or set CHROMIUM to where it is."
)


@WITH_CHROMIUM
def test_the_pictures_can_be_taken_anew(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "docs.building.screenshots", "--to", str(tmp_path), "--enough", "20"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )

    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in (ROOT / "docs/pictures").iterdir()}


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Where the site is served from, as files and nothing else."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@WITH_CHROMIUM
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_site_works_in_a_browser(width: int, scheme: str, address: str) -> None:
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else wrong.append(asked.url))

        for path in ("index.html", "tutorial.html", "reference/python.html", "reference/commands.html", "web.html"):
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} is too wide"
        pictures = [image.get_attribute("src") or "" for image in page.query_selector_all("article img:visible")]
        first = searched(page, address, "external_id")
        browser.close()

    assert {picture.rpartition("-")[2] for picture in pictures} == {f"{scheme}.png"}
    assert "external_id" in first
    assert wrong == []


def searched(page: Page, address: str, words: str) -> str:
    """What the search finds first, after words were typed into its field."""
    page.goto(address + "search.html")
    field = page.locator("input[name=q]:visible").first
    field.fill(words)
    field.press("Enter")
    page.wait_for_selector("#search-results li a")
    return page.locator("#search-results li").first.inner_text()

"""What others have written is shown, and does nothing; what is secret is not shown."""

import itertools
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from sqlalchemy import URL, Engine, create_engine

import afterwork as aw
from examples.shop import app, create
from tests.conftest import Shop
from tests.support.databases import ON_BOTH
from tests.web.browser import scenes
from tests.web.conftest import client_of
from tests.web.hostile import EVIL, SCRIPT, Seen, crawled, filled, routes, spoil

MOST_PAGES = 100

PASSWORD, TOKEN, READ_TOKEN, SECRET = "hunter2-of-the-database", "sesame-open", "peep-only", "salt-of-cookies"


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A shop full of hostile texts. Only to be looked at."""
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('spoilt') / 'shop.db'}")
    create(engine)
    app.install(engine)
    scenes.failing(engine)
    spoil(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def pages(spoilt: Engine) -> dict[str, tuple[int, Seen]]:
    """All pages that can be reached, up to `MOST_PAGES`."""
    with client_of(aw.web(app, spoilt)) as client:
        return {address: (status, seen) for address, status, seen in crawled(client, MOST_PAGES)}


def test_no_text_of_others_becomes_part_of_a_page(pages: dict[str, tuple[int, Seen]]) -> None:
    assert {address: seen.foreign for address, (_, seen) in pages.items() if seen.foreign} == {}


def test_every_page_that_another_leads_to_is_there(pages: dict[str, tuple[int, Seen]]) -> None:
    """All but those of names with a stroke, which no work and no timer can have."""
    missing = [address for address, (status, _) in pages.items() if status != 200]
    with_strokes = [quote(text, safe=safe) for text in EVIL if "/" in text for safe in ("/", "")]
    assert [address[:200] for address in missing if not any(text in address for text in with_strokes)] == []


@pytest.mark.parametrize("path", ["/", "/tickets?state=failed", "/timers", "/lanes"])
def test_hostile_texts_are_shown_as_they_are(pages: dict[str, tuple[int, Seen]], spoilt: Engine, path: str) -> None:
    """So the pages that were looked at are such that have them."""
    seen = Seen(client_of(aw.web(app, spoilt)).get(path).text)

    assert any(SCRIPT in text for text in seen.texts)
    kinds = {address.split("?")[0].split("/")[1] for address in pages}
    assert kinds >= {"tickets", "timers", "caches", "machines", "lanes", "model", "impact"}


def test_what_was_done_is_said_without_harm(spoilt: Engine) -> None:
    client = client_of(aw.web(app, spoilt))
    token = Seen(client.get("/lanes").text).texts
    csrf = token[token.index("csrf") + 1]
    for text in EVIL:
        answer = client.post(f"/timers/{quote(text, safe='')}/run", data={"csrf": csrf, "back": "/timers"})
        assert (text[:20], Seen(answer.text).foreign) == (text[:20], [])


def test_metrics_and_the_api_carry_hostile_texts_as_data(spoilt: Engine) -> None:
    client = client_of(aw.web(app, spoilt))

    assert {line.split(" ")[0] for line in client.get("/metrics").text.splitlines()} & {"set-cookie:", "<b>"} == set()
    answer = client.get("/api/timers")
    assert (answer.headers["content-type"], SCRIPT in answer.text) == ("application/json", True)
    assert answer.headers["x-content-type-options"] == "nosniff"


ASKED = ("after", "root", "member", "cache", "state", "q", "work", "error", "open", "search")
KEYS = ("..", "../..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "a%00b", "%00", "%0d%0a", "%ff%fe",
        "%F0%9F%98%80", "%25", "'%22%3Bselect", "-1", "99999999999999999999999", "x" * 5_000, "Customer!..%2f1",
        "Customer!99999999999999999999", "Customer!%00")  # fmt: skip


@ON_BOTH
def test_a_key_that_is_none_is_told_so(the_shop: Shop) -> None:
    """Whatever is asked for, nothing breaks, and no file is opened."""
    page = aw.web(the_shop.app, the_shop.engine)
    with client_of(page) as client:
        for path, key in itertools.product(routes(page, "GET"), KEYS):
            query = "" if "{" in path else "?" + "&".join(f"{name}={key}" for name in ASKED)
            answer = client.get(filled(path, key) + query)
            assert (path, key[:50], answer.status_code) == (path, key[:50], min(answer.status_code, 499))
            assert "root:x:" not in answer.text


def said(engine: Engine, log: pytest.LogCaptureFixture) -> str:
    """All that a page with tokens says and logs to whoever asks for everything."""
    page = aw.web(app, engine, token=TOKEN, read_token=READ_TOKEN, secret=SECRET)
    client = client_of(page, host="192.0.2.7", base="http://jobs.example")
    log.set_level(logging.DEBUG, "afterwork")
    answers = [client.get(filled(path), headers={"authorization": f"Bearer {TOKEN}"}) for path in routes(page, "GET")]
    return "\n".join([*(f"{answer.headers} {answer.text}" for answer in answers), log.text])


@ON_BOTH
def test_no_secret_is_shown_or_logged(url: URL, caplog: pytest.LogCaptureFixture) -> None:
    at = url if url.drivername == "sqlite" else url.set(password=PASSWORD)  # which this server does not ask for
    engine = create_engine(at)
    create(engine)
    app.install(engine)

    text = said(engine, caplog)
    assert "Customer.total" in text
    assert [hidden for hidden in (PASSWORD, TOKEN, READ_TOKEN, SECRET) if hidden in text] == []
    engine.dispose()


def test_no_secret_is_in_what_is_said_of_a_database_that_does_not_answer(caplog: pytest.LogCaptureFixture) -> None:
    at = URL.create("postgresql+psycopg", "clerk", PASSWORD, "127.0.0.1", 1, "shop")

    text = said(create_engine(at), caplog)
    assert "The database says" in text
    assert [hidden for hidden in (PASSWORD, TOKEN, READ_TOKEN, SECRET) if hidden in text] == []

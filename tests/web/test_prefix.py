"""The page behind a proxy that shows it at a path, as a real one passes on what it is asked."""

from urllib.request import Request, urlopen

import click
import pytest

import afterwork as aw
from afterwork.cli.serving import prefix_of
from afterwork.web.serving import served
from tests.conftest import Shop


def asked(url: str) -> str:
    with urlopen(Request(url, headers={"accept": "text/html"})) as answer:
        return str(answer.read().decode())


def test_links_lead_to_where_the_proxy_shows_the_page(the_shop: Shop) -> None:
    with served(aw.web(the_shop.app, the_shop.engine), "127.0.0.1", 0, "/afterwork") as where:
        page = asked(where)  # as the proxy asks, which has taken the prefix away

        assert 'href="/afterwork/timers"' in page
        assert 'href="/afterwork/static/' in page
        assert 'href="/timers"' not in page


@pytest.mark.parametrize(("given", "prefix"), [("/afterwork", "/afterwork"), ("/a/b/", "/a/b"), ("/", ""), ("", "")])
def test_a_prefix_is_a_path(given: str, prefix: str) -> None:
    assert prefix_of(given) == prefix


@pytest.mark.parametrize("given", ["afterwork", "//evil", "/a?b", "/a#b", "/a b", "https://host/a"])
def test_what_is_no_path_is_refused(given: str) -> None:
    with pytest.raises(click.BadParameter, match="An example: /afterwork"):
        prefix_of(given)

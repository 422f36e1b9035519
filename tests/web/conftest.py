"""The web page, asked as a client of this machine asks it."""

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

import afterwork as aw
from tests.conftest import Shop
from tests.support.databases import url

__all__ = ["url"]

LOCAL = "http://127.0.0.1"


def client_of(application: ASGIApp, *, host: str = "127.0.0.1", base: str = LOCAL) -> TestClient:
    """A client at `host`, which asks for the page under the name in `base`."""
    return TestClient(application, base, client=(host, 50000))


@pytest.fixture
def client(the_shop: Shop) -> Iterator[TestClient]:
    """A client of an installed shop's page."""
    with client_of(aw.web(the_shop.app, the_shop.engine)) as found:
        yield found


@pytest.fixture
def program(client: TestClient) -> TestClient:
    """A client of the same page that keeps no cookies, as programs do."""
    return client_of(client.app)


def csrf_of(client: TestClient, path: str = "/") -> str:
    """The token that forms of this client carry."""
    text = client.get(path).text
    mark = 'name="csrf" value="'
    return text[text.index(mark) + len(mark) :].split('"', 1)[0]


Act = Callable[..., str]


@pytest.fixture
def act(client: TestClient) -> Act:
    """Sends the form of an act, and gives the page that comes back."""

    def send(path: str, back: str = "/", **fields: object) -> str:
        answer = client.post(path, data={"csrf": csrf_of(client, back), "back": back, **fields})
        assert answer.status_code == 200, answer.text
        return answer.text

    return send

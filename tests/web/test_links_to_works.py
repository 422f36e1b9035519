"""Links between what is calculated, timed or moved and the pages of the works that do it."""

import re

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

import afterwork as aw
from examples.shop import app, create
from tests.web.conftest import client_of

PLACES = ("/timers/ExportOrder", "/caches/Order.total", "/machines/Order.flow")


@pytest.fixture
def client(engine: Engine) -> TestClient:
    create(engine)
    app.install(engine)
    app.run_until_idle(engine)
    return client_of(aw.web(app, engine))


def links_in_main(client: TestClient, path: str) -> set[str]:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return set(re.findall(r'href="([^"#]+)', answer.text.split("<main", 1)[1]))


@pytest.mark.parametrize("place", PLACES)
def test_a_page_leads_to_its_work_which_leads_back(client: TestClient, place: str) -> None:
    work = f"/works/{place.rpartition('/')[2]}"

    assert work in links_in_main(client, place)
    assert place in links_in_main(client, work)

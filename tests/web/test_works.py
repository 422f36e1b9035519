"""The pages of works and of the graph of everything derived; and the API on them."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.insight.runs_over_time import Distribution
from afterwork.store.history import Histogram
from afterwork.web.pages.works import chart_of_durations
from afterwork.web.render import rate
from examples import shop
from examples.shop import SysAsyncTicket
from tests.support.prepared import begin_with
from tests.web.browser import scenes
from tests.web.conftest import client_of

NASTY = "<script>alert(1)</script>/ or so"


@pytest.fixture
def busy(engine: Engine) -> Engine:
    """A shop in which much goes on, and a ticket has asked for what there is not."""
    begin_with(engine, played)
    return engine


def played(engine: Engine) -> None:
    shop.create(engine)
    shop.app.install(engine)
    scenes.busy(engine)
    with Session(engine) as session, session.begin():
        session.add(SysAsyncTicket(view_model=NASTY))
    shop.app.run_until_idle(engine)


@pytest.fixture
def client(busy: Engine) -> Iterator[TestClient]:
    with client_of(aw.web(shop.app, busy)) as found:
        yield found


def test_works_are_listed_with_what_they_did(client: TestClient) -> None:
    page = client.get("/works").text

    assert re.search(r'href="/works/Customer.assign_number\?span=hour">.*?data-name="Done">12<', page)
    assert 'href="/works?kind=cache&amp;span=hour"' in page
    assert "Without a run in this time" in page
    assert f"afterwork works {shop.app.address} --span hour" in page
    found = client.get("/api/works", params={"span": "day", "kind": "ticket"}).json()
    assert {one["name"] for one in found["works"]} >= {"Customer.assign_number"}
    assert len(found["periods"]) == 24


def test_what_is_chosen_stays_chosen_and_can_be_taken_back(client: TestClient) -> None:
    page = client.get("/works?span=week&kind=cache&lane=%28no+lane%29").text

    assert "Customer.assign_number" not in page
    assert 'href="/works?span=day&amp;kind=cache&amp;lane=%28no+lane%29"' in page
    assert 'href="/works?span=week&amp;lane=%28no+lane%29">of any kind' in page


@pytest.mark.parametrize("query", ["span=year", "kind=magic", "server=one", "server=²", f"server={2**63}"])
def test_what_can_not_be_chosen_is_not_found(client: TestClient, query: str) -> None:
    assert client.get(f"/works?{query}").status_code == 404


def test_a_work_shows_what_it_is_and_how_it_ran(client: TestClient) -> None:
    page = client.get("/works/Customer.assign_number").text

    assert "Take the next customer number." in page
    assert "<code>self.number is None</code>" in page
    assert re.search(r"<dt>median</dt><dd>\d", page)
    assert "up to " in page  # the values of the histograms, for those who can't see it
    assert "No failure is on record." in page
    assert f"afterwork work {shop.app.address} Customer.assign_number --span hour" in page
    found = client.get("/api/works/Customer.assign_number?span=week").json()
    assert (found["kind"], found["runs"]["total"]["done"]) == ("method", 12)


def test_a_derived_value_leads_to_what_it_reads_and_to_who_reads_it(client: TestClient) -> None:
    page = client.get("/works/Order.total").text

    assert 'href="/graph?member=OrderLine.quantity"' in page
    assert 'href="/works/Customer.total"' in page
    assert 'href="/caches/Order.total?state=stale"' in page


def test_a_work_of_any_name_has_its_page_and_its_failures(client: TestClient) -> None:
    path = f"/works/{quote(NASTY, safe='')}"
    page = client.get(path)

    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "The model no longer has it" in page.text
    assert "is no view model" in page.text
    assert client.get(f"/api{path}").json()["failures"][0]["work"] == NASTY
    assert path in client.get("/works").text


def test_a_work_that_there_is_not_is_not_found(client: TestClient) -> None:
    answer = client.get("/works/Customer.asign_number")

    assert answer.status_code == 404
    assert "Customer.assign_number" in answer.text
    assert client.get("/api/works/Customer.asign_number").status_code == 404


def test_the_graph_leads_to_works_objects_and_the_impact_of_a_change(client: TestClient) -> None:
    page = client.get("/graph").text
    drawn = page[page.index("<svg") : page.index("</svg>")]

    for href in ("/works/Order.total", "/caches/Order.total?state=stale", "/model#OrderLine"):
        assert f'<a href="{href}">' in drawn
    assert '<a href="/graph?member=OrderLine.quantity">' in drawn
    assert 'class="frame heat-3"' in drawn
    assert client.get("/api/graph").json()["graph"]["nodes"]["Customer.total"]["fed_by"] == ["Order.total"]


def test_the_graph_shows_what_a_change_would_affect(client: TestClient) -> None:
    page = client.get("/graph?member=OrderLine.quantity").text

    assert "If OrderLine.quantity changes" in page
    assert page.index("Order.total</a>") < page.index("Customer.total</a>")
    assert 'placeholder="OrderLine!42"' in page
    assert 'class="edge touched"' in page
    assert client.get("/impact?member=quantity&root=OrderLine!1").status_code == 200
    assert client.get("/graph?member=OrderLine.nothing").status_code == 404


def test_a_shop_in_which_nothing_has_run_says_so(engine: Engine) -> None:
    shop.create(engine)
    shop.app.install(engine)
    client = client_of(aw.web(shop.app, engine))

    assert "No run has ended within the last hour." in client.get("/works").text
    assert "No run has ended in this time." in client.get("/works/Customer.assign_number").text
    assert "nothing yet" in client.get("/graph").text


def test_job_functions_are_on_the_page_of_the_model_too(engine: Engine) -> None:
    shop.create(engine)
    app = aw.Afterwork(shop.Base)

    @app.job
    def tidy(days: int = 7) -> None:
        """Sweep the floor."""

    app.install(engine)
    client = client_of(aw.web(app, engine))

    page = client.get("/model?search=tidy").text
    assert "Sweep the floor." in page
    assert 'href="/works/tidy"' in page
    assert "<code>days?</code>" in page
    assert client.get("/works/tidy").status_code == 200


@pytest.mark.parametrize(
    ("per_hour", "told"),
    [
        (0.0, ("0.0", "per hour")),
        (30.0, ("30.0", "per hour")),
        (120.0, ("2.0", "per minute")),
        (7200.0, ("2.0", "per second")),
    ],
)
def test_a_rate_is_told_in_the_unit_that_suits_it(per_hour: float, told: tuple[str, str]) -> None:
    assert rate(per_hour) == told


def test_what_took_longer_than_all_buckets_is_drawn_too() -> None:
    histogram = Histogram()
    histogram.add(5.0)
    histogram.add(1_000_000.0)

    drawn = chart_of_durations(Distribution.of(histogram), "How long")

    assert "<title>up to 5.0 s: 1</title>" in drawn
    assert "<title>more than 3 h: 1</title>" in drawn

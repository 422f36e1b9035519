"""The first page."""

import json
import re
from xml.etree import ElementTree

from sqlalchemy import create_engine
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.pictures.charts import Bar, bar_chart
from tests.conftest import Shop
from tests.support.shop import Customer
from tests.web.conftest import client_of


def test_an_empty_installation_says_what_would_be_there(client: TestClient) -> None:
    page = client.get("/").text

    assert "No server is running" in page
    assert "No run has ended within the last hour" in page


def test_what_has_run_is_counted_and_what_failed_needs_attention(the_shop: Shop, client: TestClient) -> None:
    with the_shop.session() as session:
        ann = Customer(name="Ann")
        session.add(ann)
        aw.later(ann.assign_number)
        aw.later(ann.fail)
        session.commit()
    the_shop.run()

    page = client.get("/").text

    assert "1 done, 1 failed" in page
    assert "Customer.fail has failed once within an hour" in page
    assert "afterwork failures MODULE:APP --work Customer.fail" in page


def test_commands_name_the_application_where_its_address_is_known_and_never_a_password(the_shop: Shop) -> None:
    the_shop.app.address = "shop:app"
    engine = create_engine("postgresql+psycopg://ann:secret@127.0.0.1:1/shop")
    for path in ("/lanes", "/tickets", "/api/check", "/api/status"):
        with client_of(aw.web(the_shop.app, the_shop.engine)) as client:
            said = client.get(path).text
            assert "MODULE:APP" not in said
            assert "--database URL" not in said
        with client_of(aw.web(the_shop.app, engine)) as client:
            said = client.get(path).text
            assert "secret" not in said
    with client_of(aw.web(the_shop.app, the_shop.engine)) as client:
        assert "afterwork pause shop:app" in client.get("/lanes").text
        assert "Start one: afterwork serve shop:app --database" in client.get("/api/check").text
        the_shop.app.uninstall(the_shop.engine)
        assert "or: afterwork install shop:app --database" in client.get("/api/status").json()["detail"]
    engine.dispose()


def test_the_api_tells_the_same(the_shop: Shop, client: TestClient) -> None:
    found = client.get("/api/overview").json()

    assert [one["what"] for one in found["attention"]] == ["No server is running"]
    assert len(found["minutes"]) == 60


def test_a_page_of_a_database_without_afterworks_tables_says_what_to_do(the_shop: Shop, client: TestClient) -> None:
    with the_shop.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE afterwork_installation")

    answer = client.get("/")

    assert answer.status_code == 503
    assert "afterwork install" in answer.text


def test_a_path_that_is_none_is_not_found(client: TestClient) -> None:
    answer = client.get("/nothing/<script>")

    assert answer.status_code == 404
    assert "<script>" not in answer.text
    assert client.get("/api/nothing").json() == {"detail": "Not Found"}


def test_passwords_of_the_database_are_not_shown(the_shop: Shop) -> None:
    nowhere = create_engine("postgresql+psycopg://ann:hush1@127.0.0.1:1/shop?password=hush2&connect_timeout=1")

    answer = client_of(aw.web(the_shop.app, nowhere)).get("/")

    assert answer.status_code == 503
    assert "postgresql+psycopg://127.0.0.1:1/shop" in answer.text
    assert not {"hush1", "hush2"} & set(re.findall(r"\w+", answer.text))


def test_bars_are_as_high_as_they_say_and_their_words_are_escaped() -> None:
    drawn = bar_chart(
        [Bar([("ticket", 3), ("failed", 1)], "<b>"), Bar([("ticket", 0)], "none")], 'a "label"', "then", "now"
    )
    tree = ElementTree.fromstring(drawn)

    titles = [one.text for one in tree.iter("title")]
    heights = {one.get("class"): float(one.get("height", 0)) for one in tree.iter("rect")}
    assert titles == ["<b>", "none"]
    assert heights["ticket"] == 3 * heights["failed"]
    assert json.dumps(drawn).count("<b>") == 0

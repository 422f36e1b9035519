"""Flask with Flask-SQLAlchemy, and the page beside it for those who are logged in there."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine

import afterwork as aw
from afterwork.app import applications_of
from examples.frameworks import flask_app
from examples.frameworks.flask_app import db, work
from tests.support.serving import served_by_uvicorn


@pytest.fixture
def application(engine: Engine) -> Iterator[Flask]:
    """Flask on an installed database."""
    made = flask_app.create(engine.url.render_as_string(hide_password=False))
    with made.app_context():
        db.create_all()
        work.install(db.engine)
        yield made
        db.session.remove()  # requests within this context share its session, and its connection
        db.engine.dispose()


def test_an_order_is_confirmed_after_the_request(application: Flask) -> None:
    client = application.test_client()
    key = client.post("/orders/50").get_json()["id"]
    assert client.get(f"/orders/{key}").get_json()["confirmed"] is False

    work.run_until_idle(db.engine)

    shown = client.get(f"/orders/{key}").get_json()
    assert (shown["confirmed"], shown["tax"]) == (True, 10)


def test_a_request_that_fails_asks_for_nothing(application: Flask) -> None:
    with application.test_request_context():
        order = flask_app.Order(amount=1)
        db.session.add(order)
        aw.later(order.confirm)
        db.session.flush()
        db.session.rollback()

    assert [ended for ended in work.run_until_idle(db.engine) if ended.run.root_id] == []


def test_alembic_finds_the_application_by_the_metadata_of_flask_sqlalchemy() -> None:
    """Flask-Migrate gives `db.metadata` to Alembic."""
    assert applications_of(db.metadata) == [work]


def test_who_is_logged_in_to_flask_is_let_in_to_the_page(application: Flask) -> None:
    client = application.test_client()
    client.post("/login/ann")
    cookie = client.get_cookie("session")
    assert cookie is not None
    with served_by_uvicorn(flask_app.page(application)) as browser:
        assert browser.get("/tickets").status_code == 401
        browser.cookies.set("session", cookie.value[:-1])
        assert browser.get("/tickets").status_code == 401
        browser.cookies.clear()
        browser.cookies.set("session", cookie.value)
        assert browser.get("/tickets").status_code == 200

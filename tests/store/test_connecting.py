"""Servers' own connections don't wait for ever for a machine that is gone."""

from contextlib import closing

import psycopg
import pytest
from sqlalchemy import Engine, create_engine

from afterwork import Settings
from afterwork.store.dialects import database_of
from afterwork.store.postgresql.connecting import PATIENCE

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

GIVEN = [{}, {"connect_timeout": 3}, {"keepalives_idle": 7, "tcp_user_timeout": 900}]


@pytest.mark.parametrize("given", GIVEN)
def test_a_servers_connection_has_limits_unless_the_application_has_its_own(
    engine: Engine, given: dict[str, int]
) -> None:
    own = create_engine(engine.url, connect_args=given)
    with closing(database_of(own, Settings()).connect()) as connection:
        driver = connection.connection.dbapi_connection
        assert isinstance(driver, psycopg.Connection)
        assert told(driver) == {name: str(value) for name, value in {**PATIENCE, **given}.items()}
    own.dispose()


def test_the_applications_connections_are_as_it_wants_them(engine: Engine) -> None:
    database_of(engine, Settings()).connect().close()
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert isinstance(driver, psycopg.Connection)
        assert told(driver).keys() <= {"connect_timeout"}


def told(driver: psycopg.Connection) -> dict[str, str]:
    """What libpq was told of these limits."""
    return {name: value for name, value in driver.info.get_parameters().items() if name in PATIENCE}

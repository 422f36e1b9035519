"""The way from the first revision to the tenth, with data that is there all the while."""

from typing import Any

from alembic import command
from sqlalchemy import URL, Engine, create_engine, text

from shop.database import ORDINARY_DRIVERS
from shop.model import work
from tests.conftest import alembic_at


def engine_at(url: URL) -> Engine:
    return create_engine(url.set(drivername=ORDINARY_DRIVERS[url.drivername]))


def row(engine: Engine, query: str) -> tuple[Any, ...]:
    with engine.connect() as connection:
        return tuple(connection.execute(text(query)).one())


def execute(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_what_was_there_before_afterwork_is_taken_along(empty: URL) -> None:
    config, engine = alembic_at(empty), engine_at(empty)
    command.upgrade(config, "0002")
    execute(
        engine,
        "INSERT INTO customer (name, mail) VALUES ('Ann', 'ann@example.com')",
        "INSERT INTO orders (customer_id) VALUES (1)",
        "INSERT INTO order_line (order_id, product, quantity, price) VALUES (1, 'a lamp', 2, 1500)",
    )
    command.upgrade(config, "head")
    work.run_until_idle(engine)

    assert row(engine, "SELECT number, total, state FROM orders") == (1, 3000, "placed")
    assert row(engine, "SELECT email, total FROM customer") == ("ann@example.com", 3000)
    engine.dispose()


def test_the_model_is_what_the_migrations_make(url: URL) -> None:
    command.check(alembic_at(url))
    engine = engine_at(url)
    assert work.install(engine) == []
    assert [finding.what for finding in work.insight(engine).check() if not finding.right and not finding.is_note] == []
    engine.dispose()


def test_each_revision_can_be_taken_back_and_made_again(url: URL) -> None:
    config, engine = alembic_at(url), engine_at(url)
    command.downgrade(config, "base")
    for _ in range(10):
        command.upgrade(config, "+1")
    command.check(config)
    engine.dispose()

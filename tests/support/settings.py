"""Settings of a whole database, as its operator makes them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, NullPool, create_engine, text


@contextmanager
def for_this_database(engine: Engine, *settings: str) -> Iterator[None]:
    """New connections to the database have settings (`name=value`) while the block lasts."""
    admin = create_engine(engine.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    named = [setting.partition("=")[::2] for setting in settings]
    with admin.connect() as connection:
        for name, value in named:
            connection.execute(text(f"ALTER DATABASE {engine.url.database} SET {name} = '{value}'"))
    engine.dispose()
    yield
    with admin.connect() as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        for name, _ in named:
            connection.execute(text(f"ALTER DATABASE {engine.url.database} RESET {name}"))
    engine.dispose()

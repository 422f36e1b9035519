"""Databases that many tests begin with: prepared once, and copied from then on."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.orm import DeclarativeBase

import afterwork as aw
from tests.support.postgres import Server, is_new

PREPARED = "afterwork_tests_prepared"
"""The execution option of a test's engine that has what fills its database."""

MAX_TEMPLATES = 16
"""How many are kept on PostgreSQL, where each takes some megabytes. Tests of one file run one after the other."""

COMPILED = "compiled_cache"
"""The execution option that has the statements that the engines of all tests have compiled."""

Step = Callable[[Engine], object]
"""What is done to a database before a test begins."""


def open_with(engine: Engine, base: Any, *steps: Step) -> None:
    """Leave an empty database as these steps, one after the other, leave it for a base, by a copy if there is one."""
    prepared: Prepared | None = engine.get_execution_options().get(PREPARED)
    if prepared is None or not prepared.opens(engine, base, steps):
        take(steps, engine)


def take(steps: Sequence[Step], engine: Engine) -> None:
    for step in steps:
        step(engine)


def begin_with(engine: Engine, prepare: Step, name: str = "") -> None:
    """Leave the empty database of a test as a function leaves one, which is called once for many tests. A function that
    leaves several kinds of databases gives each a `name`."""
    prepared: Prepared | None = engine.get_execution_options().get(PREPARED)
    if prepared is None:  # an engine of the test's own kind
        prepare(engine)
    else:
        prepared.fill(engine, name or _name_of(prepare), prepare)


def is_empty(engine: Engine) -> bool:
    """Whether nobody has created anything in a database."""
    if engine.url.get_backend_name() == "sqlite":
        file = Path(str(engine.url.database))
        return not file.exists() or file.stat().st_size == 0
    prepared: Prepared | None = engine.get_execution_options().get(PREPARED)
    # To ask costs a process of PostgreSQL.
    return (prepared is not None and prepared.is_unused(engine)) or is_new(engine.url)


def _name_of(step: Step) -> str:
    """The name of a function, with what it is given of a `partial`."""
    if isinstance(step, partial):
        return f"{_name_of(step.func)}{step.args}"
    return f"{step.__module__}.{step.__qualname__}"


def installed(engine: Engine, base: Any, **how: Any) -> aw.Afterwork:
    """Create the tables of a model in an empty database, and install. Returns the application, made with `how`."""
    app = aw.Afterwork(base, **how)

    def create_and_install(engine: Engine) -> None:
        base.metadata.create_all(engine)
        app.install(engine)

    open_with(engine, base, create_and_install)
    return app


class Nothing(DeclarativeBase):
    """The model of an application that has nothing but tickets."""


class SysAsyncTicket(aw.AsyncTicket, Nothing): ...


def own_tables(engine: Engine) -> None:
    """Create the tables that Afterwork has in each database. To make them is most of the work of an installation."""
    Nothing.metadata.create_all(engine)
    aw.Afterwork(Nothing).install(engine)
    Nothing.metadata.drop_all(engine)


class Prepared:
    """Fills empty databases. Its templates are in a folder and on a server, there until it is closed."""

    def __init__(self, folder: Path, server: Server) -> None:
        self._folder = folder
        self._server = server
        self._templates: dict[str, URL] = {}
        self._met: Counter[tuple[Any, ...]] = Counter()
        self._unused: WeakSet[Engine] = WeakSet()

    def note_use(self, engine: Engine) -> None:
        """Note when an engine on an empty database is used for the first time."""
        self._unused.add(engine)
        event.listen(engine, "connect", lambda *_: self._unused.discard(engine), once=True)

    def is_unused(self, engine: Engine) -> bool:
        return engine in self._unused

    def close(self) -> None:
        for template in self._templates.values():
            self._server.drop(template)

    def opens(self, engine: Engine, base: Any, steps: Sequence[Step]) -> bool:
        """Fill an empty database for a base, by all steps. Returns whether it did: a base that is met for the first
        time, and whose beginning is a single step, is likely to be met once. It finds only Afterwork's own tables."""
        if not is_empty(engine):
            return False
        engine.dispose()
        key = engine.dialect.name, base, len(base.metadata.tables), *map(_name_of, steps)
        self._met[key] += 1
        if self._met[key] == len(steps) == 1:
            self.fill(engine, _name_of(own_tables), own_tables)
            return False
        self.fill(engine, f"base-{list(self._met).index(key)}", partial(take, steps))
        return True

    def fill(self, engine: Engine, name: str, prepare: Step) -> None:
        """Leave an empty database as `prepare` leaves one. What has the same name is prepared the same way."""
        self._unused.discard(engine)
        if engine.dialect.name == "sqlite":
            self._fill_file(engine, name, prepare)
        else:
            self._fill_postgres(engine, name, prepare)

    def _fill_file(self, engine: Engine, name: str, prepare: Step) -> None:
        template, file = self._folder / f"{name}.db", str(engine.url.database)
        if template.exists():
            shutil.copy(template, file)
        else:
            prepare(engine)
            engine.dispose()  # with its last connection, SQLite puts all into the one file
            shutil.copy(file, template)

    def _fill_postgres(self, engine: Engine, name: str, prepare: Step) -> None:
        template = self._templates.pop(name, None) or self._template(engine, prepare)
        self._templates[name] = template  # as the last one that was needed
        self._server.replace(engine.url, template)
        for oldest in list(self._templates)[:-MAX_TEMPLATES]:
            self._server.drop(self._templates.pop(oldest))

    def _template(self, engine: Engine, prepare: Step) -> URL:
        template = self._server.new_database()
        preparing = create_engine(template, execution_options=dict(engine.get_execution_options()))
        prepare(preparing)
        preparing.dispose()
        return template

"""Databases that many tests begin with: prepared once, and copied from then on."""

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine

from tests.support.postgres import Server

PREPARED = "afterwork_tests_prepared"
"""The execution option of a test's engine that has what fills its database."""


def open_with(engine: Engine, base: Any, prepare: Callable[[Engine], None]) -> None:
    """Leave an empty database as `prepare` leaves it for a base, by a copy if there is one."""
    prepared: Prepared | None = engine.get_execution_options().get(PREPARED)
    if prepared is None or not prepared.opens(engine, base, prepare):
        prepare(engine)


def begin_with(engine: Engine, prepare: Callable[[Engine], object]) -> None:
    """Leave the empty database of a test as a function leaves one, which is called once for many tests."""
    prepared: Prepared | None = engine.get_execution_options().get(PREPARED)
    if prepared is None:  # an engine of the test's own kind
        prepare(engine)
    else:
        prepared.fill(engine, f"{prepare.__module__}.{prepare.__qualname__}", prepare)


class Prepared:
    """Fills empty databases. Its templates are in a folder and on a server, there until `kept` is closed."""

    def __init__(self, folder: Path, server: Server, kept: ExitStack) -> None:
        self._folder = folder
        self._server = server
        self._kept = kept
        self._templates: dict[str, URL] = {}
        self._met: Counter[tuple[Any, int]] = Counter()

    def opens(self, engine: Engine, base: Any, prepare: Callable[[Engine], None]) -> bool:
        """Fill an empty database for a base that was met before. Returns whether it did: most bases are met once."""
        key = base, len(base.metadata.tables)
        self._met[key] += 1
        if self._met[key] == 1 or not self._is_empty(engine.url):
            return False
        engine.dispose()
        self.fill(engine, f"base-{list(self._met).index(key)}", prepare)
        return True

    def _is_empty(self, url: URL) -> bool:
        if url.get_backend_name() == "sqlite":
            file = Path(str(url.database))
            return not file.exists() or file.stat().st_size == 0
        return self._server.is_empty(url)

    def fill(self, engine: Engine, name: str, prepare: Callable[[Engine], object]) -> None:
        """Leave an empty database as `prepare` leaves one. What has the same name is prepared the same way."""
        if engine.dialect.name == "sqlite":
            self._fill_file(engine, name, prepare)
        else:
            self._fill_postgres(engine, name, prepare)

    def _fill_file(self, engine: Engine, name: str, prepare: Callable[[Engine], object]) -> None:
        template, file = self._folder / f"{name}.db", str(engine.url.database)
        if template.exists():
            shutil.copy(template, file)
        else:
            prepare(engine)
            engine.dispose()  # with its last connection, SQLite puts all into the one file
            shutil.copy(file, template)

    def _fill_postgres(self, engine: Engine, name: str, prepare: Callable[[Engine], object]) -> None:
        if name not in self._templates:
            template = self._kept.enter_context(self._server.fresh_database())
            preparing = create_engine(template)
            prepare(preparing)
            preparing.dispose()
            self._templates[name] = template
        self._server.replace(engine.url, self._templates[name])

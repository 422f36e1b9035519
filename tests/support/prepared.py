"""Databases that many tests begin with: prepared once, and copied from then on."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine

from tests.support.postgres import copy_database, fresh_database


class Prepared:
    """Fills empty databases. Its templates are in a folder and on a server, there until `kept` is closed."""

    def __init__(self, folder: Path, server: URL, kept: ExitStack) -> None:
        self._folder = folder
        self._server = server
        self._kept = kept
        self._templates: dict[str, URL] = {}

    def fill(self, engine: Engine, name: str, prepare: Callable[[Engine], None]) -> None:
        """Leave an empty database as `prepare` leaves one. What has the same name is prepared the same way."""
        if engine.dialect.name == "sqlite":
            self._fill_file(engine, name, prepare)
        else:
            self._fill_postgres(engine, name, prepare)

    def _fill_file(self, engine: Engine, name: str, prepare: Callable[[Engine], None]) -> None:
        template, file = self._folder / f"{name}.db", str(engine.url.database)
        if template.exists():
            shutil.copy(template, file)
        else:
            prepare(engine)
            engine.dispose()  # with its last connection, SQLite puts all into the one file
            shutil.copy(file, template)

    def _fill_postgres(self, engine: Engine, name: str, prepare: Callable[[Engine], None]) -> None:
        if name not in self._templates:
            template = self._kept.enter_context(fresh_database(self._server))
            preparing = create_engine(template)
            prepare(preparing)
            preparing.dispose()
            self._templates[name] = template
        copy_database(self._server, self._templates[name], engine.url)

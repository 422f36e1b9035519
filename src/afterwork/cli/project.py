"""`[tool.afterwork]` in pyproject.toml: the application and the database that a project's commands are about."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from afterwork.errors import shown
from afterwork.language.syntax.spelling import nearest

FILE = "pyproject.toml"
TABLE = "tool.afterwork"
KEYS = ("app", "database")

VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")
"""A database that is named by a variable of the environment."""

SECRET = (
    "it has a password, and this file is kept with the code. Leave the password to PGPASSWORD or ~/.pgpass, or name a "
    'variable that has the URL: database = "$DATABASE_URL"'
)


@dataclass(frozen=True)
class Project:
    """The table `[tool.afterwork]` of the file at `path`."""

    path: Path
    table: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """The folder of the file, from which its application is imported and its paths are read."""
        return self.path.parent

    def place_of(self, key: str) -> str:
        """Return the place of a key as errors name it."""
        return f"{TABLE}.{key} in {self.path}"

    def text(self, key: str) -> str | None:
        """Return the text of a key, None without one."""
        value = self.table.get(key)
        if value is not None and not (isinstance(value, str) and value.strip()):
            self._refuse(key, f"it is a text, not {shown(value)}.")
        return value

    @property
    def database(self) -> str | None:
        """The URL of the database, with the value of the variable that it names."""
        text = self.text("database")
        if text is None:
            return None
        if (variable := VARIABLE.fullmatch(text)) is not None:
            name = variable[1] or variable[2]
            if not os.environ.get(name):
                self._refuse("database", f"the environment has no {name}. Set it, or give --database URL.")
            return os.environ[name]
        if _has_password(text):
            self._refuse("database", SECRET)
        return text

    def resolved(self, url: URL) -> URL:
        """Return the URL of a file with its path made absolute: the file gives it as seen from its own folder."""
        name = url.database or ":memory:"
        if url.get_backend_name() != "sqlite" or name == ":memory:" or name.startswith("file:"):
            return url
        return url.set(database=str(self.folder / name))

    def check(self) -> None:
        """Refuse keys that mean nothing."""
        for key in self.table:
            if key not in KEYS:
                near = "".join(f" Did you mean {other}?" for other in nearest(key, KEYS)[:1])
                self._refuse(key, f"there is no such key.{near} There are: {', '.join(KEYS)}.")

    def _refuse(self, key: str, problem: str) -> NoReturn:
        raise click.BadParameter(problem, param_hint=self.place_of(key))


def project_of(folder: Path) -> Project | None:
    """Return the project of a folder: the table in the nearest pyproject.toml that has one, upwards; None without."""
    for above in (folder, *folder.parents):
        path = above / FILE
        table = _table(path) if path.is_file() else None
        if table is not None:
            project = Project(path, table)
            project.check()
            return project
    return None


def _table(path: Path) -> Mapping[str, Any] | None:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"{path} can't be read: {error}") from None
    tools = content.get("tool")
    table = tools.get("afterwork") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise click.BadParameter(f"it is a table, not {shown(table)}.", param_hint=f"{TABLE} in {path}")
    return table


def _has_password(text: str) -> bool:
    try:
        return make_url(text).password is not None
    except ArgumentError:
        return False

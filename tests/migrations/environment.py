"""Alembic as `alembic init` sets it up, with the plugin as the project declares it, for one database."""

import io
import sqlite3
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.plugins import Plugin
from alembic.script import Script
from sqlalchemy import Engine, MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine

import afterwork as aw

ROOT = Path(__file__).resolve().parents[2]

ENV = """
from alembic import context

given = context.config.attributes
if context.is_offline_mode():
    context.configure(**given["offline"], target_metadata=given["metadata"], literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with given["engine"].connect() as connection:
        context.configure(connection=connection, target_metadata=given["metadata"], **given["options"])
        with context.begin_transaction():
            context.run_migrations()
"""


def declared_plugins() -> Iterator[EntryPoint]:
    """Yield the plugins that pyproject.toml declares, as the metadata of an installed package has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, value in project["entry-points"]["alembic.plugins"].items():
        yield EntryPoint(name, value, "alembic.plugins")


def load_plugins() -> None:
    """Have Alembic know the plugins also where the metadata is that of an earlier installation."""
    for point in declared_plugins():
        with suppress(ValueError):  # it is known already
            Plugin.setup_plugin_from_module(point.load(), point.name)


@dataclass
class Migrations:
    """The migrations of one database. `metadata` is that of the release that runs them."""

    folder: Path
    engine: Engine | AsyncEngine
    metadata: MetaData
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        load_plugins()
        self.output = io.StringIO()
        self.config = Config(stdout=io.StringIO(), output_buffer=self.output)
        self.config.set_main_option("script_location", str(self.folder / "migrations"))
        self.config.set_main_option("path_separator", "os")
        self.config.config_file_name = str(self.folder / "alembic.ini")
        command.init(self.config, str(self.folder / "migrations"))
        (self.folder / "migrations" / "env.py").write_text(ENV)
        self.config.config_file_name = None

    def revision(self, message: str = "next") -> str:
        """Let Alembic write a revision. Return its text."""
        return Path(self._revision(message, autogenerate=True).path).read_text()

    def written(self, upgrade: str, downgrade: str = "pass", message: str = "by hand") -> None:
        """Write a revision by hand, from the statements of its two functions."""
        path = Path(self._revision(message, autogenerate=False).path)
        head, _, _ = path.read_text().partition("def upgrade()")
        path.write_text(f"{head}def upgrade():\n{_indented(upgrade)}\n\ndef downgrade():\n{_indented(downgrade)}\n")

    def _revision(self, message: str, *, autogenerate: bool) -> Script:
        made = command.revision(self._ready(), message=message, autogenerate=autogenerate)
        assert isinstance(made, Script)
        return made

    def check(self) -> None:
        """Raise an error if a revision would do anything."""
        command.check(self._ready())

    def upgrade(self, to: str = "head") -> None:
        command.upgrade(self._ready(), to)

    def downgrade(self, to: str = "-1") -> None:
        command.downgrade(self._ready(), to)

    def sql(self, to: str = "head", **options: Any) -> str:
        """Return the SQL that an upgrade would run. `options` take the place of the URL that env.py gives."""
        command.upgrade(self._ready(options), to, sql=True)
        return self._written()

    def sql_down(self, to: str) -> str:
        """Return the SQL that a downgrade would run."""
        command.downgrade(self._ready(), to, sql=True)
        return self._written()

    def _written(self) -> str:
        script = self.output.getvalue()
        self.output.seek(0)
        self.output.truncate()
        return script

    def _ready(self, offline: Mapping[str, Any] | None = None) -> Config:
        url = self.engine.url.render_as_string(hide_password=False)
        given = {"engine": self.engine, "metadata": self.metadata, "options": self.options}
        self.config.attributes.update(given, offline=offline or {"url": url})
        return self.config


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())


def body(revision: str, function: str) -> list[str]:
    """Return the statements of one of a revision's functions."""
    text = revision.partition(f"def {function}()")[2].partition("\ndef ")[0]
    lines = [line.strip() for line in text.splitlines()[1:]]
    return [line for line in lines if line and not line.startswith(("#", '"""'))]


def faults(app: aw.Afterwork, engine: Engine) -> list[str]:
    """Return what `afterwork check` says is wrong."""
    return [finding.what for finding in app.insight(engine).check() if finding.is_fault]


def names_like_afterwork(engine: Engine) -> list[str]:
    """Return the names of triggers, functions, tables and indexes of Afterwork in a database."""
    query = {
        "sqlite": "SELECT name FROM sqlite_master",
        "postgresql": "SELECT relname FROM pg_class UNION SELECT proname FROM pg_proc UNION SELECT tgname"
        " FROM pg_trigger",
    }[engine.dialect.name]
    with engine.connect() as connection:
        return [name for name in connection.execute(text(query)).scalars() if name.startswith("afterwork")]


def run_script(engine: Engine, script: str) -> None:
    """Run a script as an administrator does, not by SQLAlchemy."""
    driver: Any = engine.raw_connection().driver_connection
    if isinstance(driver, sqlite3.Connection):
        driver.executescript(script)
    else:
        driver.autocommit = True
        driver.execute(script, prepare=False)
    driver.close()
    engine.dispose()

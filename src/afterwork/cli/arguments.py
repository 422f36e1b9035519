"""Arguments and options that commands share: the application and its database."""

import functools
import getpass
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from afterwork.app import Afterwork
from afterwork.cli.application import ApplicationCommand, app_argument, as_typed
from afterwork.cli.printing import print_result
from afterwork.cli.project import FILE, TABLE, project_of
from afterwork.model.inspection import from_external_id
from afterwork.model.known_names import meant

DATABASE = "AFTERWORK_DATABASE"

NO_DATABASE = (
    f"No database is named. Give --database URL, set {DATABASE}, or write database under [{TABLE}] in {FILE}: "
    'database = "sqlite:///shop.db"'
)

URL_ADVICE = "Give one like sqlite:///shop.db or postgresql+psycopg://user@host/shop."

DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql+psycopg": "postgresql+psycopg",
    # Without a driver, as many platforms write it.
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}


NO_PREPARED_STATEMENTS: Mapping[str, Any] = {"connect_args": {"prepare_threshold": None}}


class _NameChoice(click.Choice[str]):
    """One of several names. What is none of them is answered with the one that may have been meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return one of the names, or refuse a value."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            suggestion = meant(str(value), self.choices)
            raise click.BadParameter(" ".join(filter(None, (error.message, suggestion))), ctx, param) from None


def one_of(names: Sequence[str]) -> click.Choice[str]:
    """Return the type of an option that takes one of some names."""
    return _NameChoice(names)


def url_of(text: str) -> URL:
    """Return the URL of a database that Afterwork supports."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise click.BadParameter(f"This is not the URL of a database. {URL_ADVICE}") from None
    if url.drivername not in DRIVERS:
        raise click.BadParameter(f"Afterwork does not run on {url.drivername}://. {URL_ADVICE}")
    return url.set(drivername=DRIVERS[url.drivername])


@contextmanager
def engine_at(url: URL, listens: bool = True) -> Iterator[Engine]:
    """Yield an engine for an existing database.

    Without `listens` a pooler is assumed, behind which no prepared statement may be kept.
    """
    file = _file(url)
    if file is not None and not file.exists():
        raise click.ClickException(f"There is no file {file}. Let the application create its tables in it first.")
    try:
        engine = create_engine(url, **({} if listens or url.get_backend_name() == "sqlite" else NO_PREPARED_STATEMENTS))
    except ModuleNotFoundError as error:
        advice = "Try: pip install 'afterwork[postgresql]'"
        raise click.ClickException(f"{url.drivername} needs {error.name}, which is not installed. {advice}") from None
    try:
        yield engine
    finally:
        engine.dispose()


def current_user() -> str:
    """Return the name under which the acts of this command line are logged."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a process of no user, as in some containers
        return "the command line"


def object_at(session: Session, root: str, app: Afterwork) -> object:
    """Return the object of an external id."""
    obj = from_external_id(session, root, app.base)
    if obj is None:
        raise click.ClickException(f"There is no {root}.")
    return obj


def _file(url: URL) -> Path | None:
    name = url.database or ":memory:"
    is_file = url.get_backend_name() == "sqlite" and name != ":memory:" and not name.startswith("file:")
    return Path(name) if is_file else None


def duration_in_seconds(text: str) -> timedelta:
    """Parse a duration in seconds."""
    try:
        duration = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is no number of seconds.") from None
    if duration < timedelta(0):
        raise click.BadParameter("It can't be negative.")
    return duration


def names(text: str) -> tuple[str, ...]:
    """Parse names separated by commas."""
    parsed = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not parsed:
        raise click.BadParameter("It needs a name.")
    return parsed


UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def size(text: str) -> int:
    """Parse a size in bytes, with an optional unit: K, M or G."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)i?B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise click.BadParameter(f"{text!r} is no size. Give one like 800M or 2G.")
    return int(float(match[1]) * UNITS[match[2].upper()])


def full_command(words: str) -> str:
    """Return another command on the same application and database, as one types it, from `retry 7`."""
    verb, _, rest = words.partition(" ")
    command = f"afterwork {verb} MODULE:APP{' ' if rest else ''}{rest} --database URL"
    return as_typed(command, click.get_current_context())


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def database_option(required: bool = True) -> Callable[[Any], Any]:
    """Return the option --database."""

    def given_or_configured(context: click.Context, parameter: click.Parameter, url: URL | None) -> URL | None:
        if url is None and (url := _url_of_project()) is not None:
            context.set_parameter_source("url", ParameterSource.DEFAULT_MAP)
        if url is None and required:
            raise click.UsageError(NO_DATABASE)
        return url

    return click.option(
        "--database",
        "url",
        type=url_of,
        callback=given_or_configured,
        metavar="URL",
        envvar=DATABASE,
        show_envvar=True,
        help=f"Such as sqlite:///shop.db or postgresql+psycopg://user@host/shop. Or as [{TABLE}] in {FILE} says.",
    )


def _url_of_project() -> URL | None:
    """Return the URL of the database that the project names, None if it names none."""
    project = project_of(Path.cwd())
    text = None if project is None else project.database
    if project is None or text is None:
        return None
    try:
        return project.resolved(url_of(text))
    except click.BadParameter as error:
        error.param_hint = project.place_of("database")
        raise


@dataclass(frozen=True)
class Shown:
    """The result of a command: its lines as text, or the data that --json prints; and the exit code."""

    lines: Iterable[str]
    data: object
    exit_code: int = 0


class OpenedLate:
    """A database that is opened when it is first asked for, so that a command is understood before."""

    def __init__(self, url: URL, opened: ExitStack) -> None:
        self._url, self._opened = url, opened

    @functools.cached_property
    def engine(self) -> Engine:
        return self._opened.enter_context(engine_at(self._url))


def command(
    *parameters: Callable[[Any], Any], name: str | None = None
) -> Callable[[Callable[..., Shown]], click.Command]:
    """Return the decorator of a function of an application, a database and some parameters, whose result is printed."""

    def made(function: Callable[..., Shown]) -> click.Command:
        @functools.wraps(function)
        def run(app: Afterwork, url: URL, as_json: bool, **given: Any) -> None:
            with ExitStack() as opened:
                shown = function(app, OpenedLate(url, opened), **given)
                print_result("\n".join(shown.lines), shown.data, as_json)
            if shown.exit_code:
                sys.exit(shown.exit_code)

        made_of = click.command(name, cls=ApplicationCommand)
        decorators = (made_of, app_argument, database_option(), *parameters, as_json)
        decorated: Any = functools.reduce(lambda inner, decorator: decorator(inner), reversed(decorators), run)
        return decorated  # type: ignore[no-any-return]

    return made

"""The command that shows the overview."""

import time
from contextlib import suppress
from functools import partial

import click
from sqlalchemy import URL, Engine
from sqlalchemy.exc import SQLAlchemyError

from afterwork.app import Afterwork
from afterwork.cli.application import ApplicationCommand, app_argument, as_typed
from afterwork.cli.arguments import as_json, database_option, engine_at, full_command
from afterwork.cli.overview_text import status_lines, status_view
from afterwork.cli.printing import error_text, print_line, print_result
from afterwork.errors import AfterworkError, MissingPackage
from afterwork.insight import Overview

WATCH_SECONDS = 2.0
"""The default seconds between two refreshes of --watch."""


@click.command(cls=ApplicationCommand)
@app_argument
@database_option()
@click.option(
    "--watch",
    is_flag=False,
    flag_value=WATCH_SECONDS,
    type=click.FloatRange(min=0.1),
    metavar="[SECONDS]",
    help=f"Refresh every {WATCH_SECONDS:g} seconds, or every SECONDS, until Ctrl-C.",
)
@as_json
def status(app: Afterwork, url: URL, watch: float | None, as_json: bool) -> None:
    """Show an overview: waiting and running work, the last hour, and what needs attention.

    With --watch, --json prints a line of JSON each time.
    """
    with engine_at(url, app.settings.listen) as engine:
        if watch is not None:
            (_print_lines if as_json else _watch)(app, engine, watch)
            return
        overview = _read(app, engine)
    print_result("\n".join(status_lines(overview, full_command)), status_view(overview), as_json)


def _read(app: Afterwork, engine: Engine) -> Overview:
    context = click.get_current_context()
    return app.insight(engine).overview().typed(lambda text: as_typed(text, context))


def _watch(app: Afterwork, engine: Engine, seconds: float) -> None:
    try:
        from afterwork.cli import live
    except ModuleNotFoundError as error:
        raise MissingPackage("status --watch", error.name, "cli") from None
    live.watch(partial(_read, app, engine), app.clock, full_command, seconds)


def _print_lines(app: Afterwork, engine: Engine, seconds: float) -> None:
    """Print the overview again and again as a line of JSON. An unreachable database ends nothing: it may come back."""
    with suppress(KeyboardInterrupt):
        while True:
            try:
                print_line(status_view(_read(app, engine)))
            except (AfterworkError, SQLAlchemyError) as error:
                click.echo(error_text(error), err=True)
            time.sleep(seconds)

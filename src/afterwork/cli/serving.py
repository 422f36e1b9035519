"""Commands that run servers."""

import importlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click
from sqlalchemy import URL, Engine

from afterwork.app import Afterwork
from afterwork.cli.arguments import app_argument, as_json, database_option, duration_in_seconds, engine_at, names, size
from afterwork.cli.printing import print_result
from afterwork.cli.systemd import reporting_to_systemd
from afterwork.cli.web import Address, page_at, web_options
from afterwork.errors import BadDeclaration
from afterwork.logs import Layout, log_to_stderr
from afterwork.store.routing import STARTS, routing_of

LEVELS = ("debug", "info", "warning", "error")


@click.command()
@app_argument
@database_option()
@click.option("--workers", type=click.IntRange(min=1), help="The maximum number of concurrent runs.")
@click.option("--grace", type=duration_in_seconds, metavar="SECONDS", help="How long a stop waits for runs.")
@click.option("--lease", type=duration_in_seconds, metavar="SECONDS", help="How long a silent server keeps its runs.")
@click.option(
    "--listen/--no-listen",
    default=None,
    help="Let PostgreSQL wake it, or poll every second, as is necessary behind a pooler.",
)
@click.option("--lanes", type=names, metavar="LANE,…", help="Serve these lanes only.")
@click.option("--except-lanes", type=names, metavar="LANE,…", help="Serve all lanes but these.")
@click.option("--only", type=names, metavar="|".join(STARTS), help="Run only what these sources start.")
@click.option("--max-jobs", type=click.IntRange(min=1), metavar="N", help="Restart as a fresh process after N runs.")
@click.option("--max-memory", type=size, metavar="SIZE", help="Restart as soon as it uses more memory: 800M, 2G.")
@web_options
@click.option(
    "--log",
    "layout",
    type=click.Choice(get_args(Layout)),
    default="human",
    show_default=True,
    help="A line of text for each event, or a line of JSON.",
)
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
def serve(
    app: Afterwork,
    url: URL,
    layout: Layout,
    log_level: str,
    web: Address | None,
    read_only: bool,
    prefix: str,
    **settings: Any,
) -> None:
    """Run jobs until SIGTERM or Ctrl-C. Exits with 1 if some did not end in time."""
    log_to_stderr(layout, log_level)
    wanted = replace(app.settings, **{name: value for name, value in settings.items() if value is not None})
    try:
        routing_of(wanted)
    except BadDeclaration as error:
        raise click.UsageError(str(error)) from None
    app.settings = wanted
    with (
        engine_at(url, app.settings.listen) as engine,
        _shown(app, engine, web, read_only, prefix),
        reporting_to_systemd(app, engine),
    ):
        unfinished = app.serve(engine)
    if app.is_to_begin_anew:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # the same process, as far as others can tell
    sys.exit(1 if unfinished else 0)


@contextmanager
def _shown(app: Afterwork, engine: Engine, address: Address | None, read_only: bool, prefix: str) -> Iterator[None]:
    """Serve the web page while the block lasts, if an address is given."""
    if address is None:
        yield
        return
    application = page_at(app, engine, address, read_only)
    from afterwork.web.serving import served

    with served(application, address.host, address.port, prefix) as where:
        logging.getLogger("afterwork").info("the web page is at %s", where)
        yield


@click.command()
@app_argument
@database_option()
@as_json
def reload(app: Afterwork, url: URL, as_json: bool) -> None:
    """Make the servers on this machine reload their files of jobs, without a restart."""
    with engine_at(url) as engine:
        told = app.control(engine).reload()
    text = f"Told {len(told)} servers: {', '.join(map(str, told))}" if told else "No server runs on this machine."
    print_result(text, {"processes": told}, as_json)


REPOSITORY = Path(__file__).resolve().parents[3]
"""The folder of the examples, if the package is installed from its repository."""


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def demo(options: Sequence[str]) -> None:
    """Show a shop at work: a server, writers, numbers without gaps, and right totals. (--help for its options)"""
    sys.path[:0] = [os.getcwd(), str(REPOSITORY)]
    try:
        demo_module = importlib.import_module("examples.shop.demo.__main__")
    except ModuleNotFoundError as error:
        if str(error.name).startswith("examples"):
            advice = "The demo comes with the repository, not with the package. Run it from there: make demo"
        else:
            advice = f"The demo needs {error.name}. Try: pip install 'afterwork[demo]'"
        raise click.ClickException(advice) from None
    demo_module.main.main(args=list(options), prog_name="afterwork demo")

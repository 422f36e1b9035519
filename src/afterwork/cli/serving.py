"""Commands that run servers: `afterwork serve` with the options of its web page, reload and demo."""

import importlib
import ipaddress
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import click
from sqlalchemy import URL, Engine

from afterwork.app import Afterwork
from afterwork.cli.application import ApplicationCommand, app_argument
from afterwork.cli.arguments import (
    OpenedLate,
    Shown,
    command,
    database_option,
    duration_in_seconds,
    engine_at,
    names,
    one_of,
    size,
)
from afterwork.cli.systemd import reporting_to_systemd
from afterwork.errors import BadDeclaration, shown
from afterwork.logs import Layout, log_to_stderr
from afterwork.model.known_names import instead_of
from afterwork.model.lane import MAIN, PARALLEL
from afterwork.store.routing import STARTS, routing_of
from afterwork.web import web as web_application
from afterwork.web.access import is_loopback

if TYPE_CHECKING:
    from starlette.applications import Starlette

LOG = logging.getLogger("afterwork")

TOKEN, READ_TOKEN = "AFTERWORK_WEB_TOKEN", "AFTERWORK_WEB_READ_TOKEN"
PROXIES = "AFTERWORK_WEB_PROXIES"

DEFAULT_PORT = 8008


@dataclass(frozen=True)
class Address:
    """A host and a port to listen on."""

    host: str
    port: int


def address_of(text: str) -> Address:
    """Parse `HOST:PORT`, `HOST`, `:PORT` or `[IPV6]:PORT`."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(DEFAULT_PORT)
    if not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is no HOST:PORT. An example: 127.0.0.1:{DEFAULT_PORT}")
    return Address(host.strip("[]") or "127.0.0.1", int(port))


def prefix_of(text: str) -> str:
    """Parse the path under which a proxy serves the page: `/afterwork`, or nothing."""
    path = text.rstrip("/")
    if path and (not path.startswith("/") or path.startswith("//") or any(char in path for char in "?#%\\ ")):
        raise click.BadParameter(f"{text!r} is no path. An example: /afterwork")
    return path


def proxies_of(text: str) -> tuple[str, ...]:
    """Parse addresses and networks, separated by commas: `127.0.0.1,10.0.0.0/8`."""
    named = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in named:
        try:
            ipaddress.ip_network(name)
        except ValueError:
            raise click.BadParameter(f"{name!r} is no address or network. An example: 127.0.0.1,10.0.0.0/8") from None
    return named


def page_at(app: Afterwork, engine: Engine, address: Address, read_only: bool) -> "Starlette":
    """Return the web page, as it may be served at an address."""
    token, read_token = os.environ.get(TOKEN), os.environ.get(READ_TOKEN)
    if not (address.host == "localhost" or is_loopback(address.host)) and not (token or read_token):
        raise click.UsageError(
            f"Other machines could open the page at {address.host}. Set {TOKEN} to a long random text, with which "
            f"visitors may read and act, or {READ_TOKEN}, with which they may read."
        )
    return web_application(app, engine, token=token, read_token=read_token, read_only=read_only)


def web_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options --web, --web-prefix, --web-proxies and --web-read-only."""
    help_ = f"Serve the web page there, such as 127.0.0.1:{DEFAULT_PORT}. Any but a loopback address needs {TOKEN}."
    wanted = click.option("--web", type=address_of, metavar="HOST:PORT", help=help_)
    reading = click.option("--web-read-only", "read_only", is_flag=True, help="Forbid all acts by the web page.")
    help_ = "The path at which a proxy serves it. The proxy strips it from the requests that it forwards."
    below = click.option("--web-prefix", "prefix", type=prefix_of, metavar="/PATH", default="", help=help_)
    help_ = "Believe these proxies, by their addresses or networks, for whom they forward requests (X-Forwarded-For)."
    behind = click.option(
        "--web-proxies", "proxies", type=proxies_of, metavar="ADDRESS,…", default="", envvar=PROXIES, help=help_
    )
    return wanted(below(behind(reading(command))))


LEVELS = ("debug", "info", "warning", "error")


@click.command(cls=ApplicationCommand)
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
    type=one_of(get_args(Layout)),
    default="human",
    show_default=True,
    help="A line of text for each event, or a line of JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the log as JSON, like --log json.")
@click.option("--log-level", type=one_of(LEVELS), default="info", show_default=True)
def serve(
    app: Afterwork,
    url: URL,
    layout: Layout,
    as_json: bool,
    log_level: str,
    web: Address | None,
    read_only: bool,
    prefix: str,
    proxies: Sequence[str],
    **settings: Any,
) -> None:
    """Run jobs until SIGTERM or Ctrl-C. Exits with 1 if some did not end in time."""
    log_to_stderr("json" if as_json else layout, log_level)
    wanted = replace(app.settings, **{name: value for name, value in settings.items() if value is not None})
    try:
        routing_of(wanted)
    except BadDeclaration as error:
        raise click.UsageError(str(error)) from None
    _check_lanes(app, [*(settings["lanes"] or ()), *(settings["except_lanes"] or ())])
    app.settings = wanted
    with (
        engine_at(url, app.settings.listen) as engine,
        _shown(app, engine, web, prefix, proxies, read_only),
        reporting_to_systemd(app, engine),
    ):
        unfinished = app.serve(engine)
    if app.is_to_begin_anew:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # the same process, as far as others can tell
    _end(1 if unfinished else 0)


def _check_lanes(app: Afterwork, lanes: Sequence[str]) -> None:
    """Warn of lanes that the model doesn't declare. Only tickets can name these, and the database may not be there."""
    known = {MAIN, PARALLEL, *app.model.lane_names, *app.model.lanes}
    for lane in lanes:
        if lane not in known:
            others = instead_of(lane, sorted(known), verb="It declares")
            LOG.warning("the model declares no lane %s: only tickets that name it are in it. %s", shown(lane), others)


EXIT_SECONDS = 5.0
"""The time for the end of a program that has served. A log that can't be written to, or a thread that goes on, would
keep Python from ending."""


def _end(code: int) -> NoReturn:
    """End the program, whatever its threads and exit handlers do."""
    at_last = threading.Timer(EXIT_SECONDS, os._exit, [code])
    at_last.daemon = True
    at_last.start()
    sys.exit(code)


@contextmanager
def _shown(
    app: Afterwork, engine: Engine, address: Address | None, prefix: str, proxies: Sequence[str], read_only: bool
) -> Iterator[None]:
    """Serve the web page while the block lasts, if an address is given."""
    if address is None:
        yield
        return
    application = page_at(app, engine, address, read_only)
    from afterwork.web.serving import served

    with served(application, address.host, address.port, prefix, proxies) as where:
        LOG.info("the web page is at %s", where)
        yield


@command()
def reload(app: Afterwork, at: OpenedLate) -> Shown:
    """Make the servers on this machine reload their files of jobs, without a restart."""
    told = app.control(at.engine).reload()
    text = f"Told {len(told)} servers: {', '.join(map(str, told))}" if told else "No server runs on this machine."
    return Shown([text], {"processes": told})


HOMES_OF_THE_SHOP = tuple(Path(__file__).resolve().parents[up] / below for up, below in ((1, "demo"), (3, "")))
"""The folders that may have the examples: the package, where a wheel brings them, or the repository."""


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def demo(context: click.Context, options: Sequence[str]) -> None:
    """Show a shop at work: a server, writers, numbers without gaps, and right totals. (--help for its options)"""
    sys.path[:0] = [str(home) for home in HOMES_OF_THE_SHOP if (home / "examples" / "shop").is_dir()]
    try:
        demo_module = importlib.import_module("examples.shop.demo.__main__")
    except ModuleNotFoundError as error:
        advice = f"The demo needs {error.name}. Try: pip install 'afterwork[demo]'"
        if "--help" not in options:
            raise click.ClickException(advice) from None
        click.echo(f"{context.get_help()}\n\n{advice}. Then --help lists its options, too.")
        return
    demo_module.main.main(args=list(options), prog_name="afterwork demo")

"""The options of `afterwork serve` for the web page: its address, its path, and its access."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import Engine

from afterwork.app import Afterwork
from afterwork.web import web
from afterwork.web.access import is_loopback

if TYPE_CHECKING:
    from starlette.applications import Starlette

TOKEN, READ_TOKEN = "AFTERWORK_WEB_TOKEN", "AFTERWORK_WEB_READ_TOKEN"

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


def page_at(app: Afterwork, engine: Engine, address: Address, read_only: bool) -> "Starlette":
    """Return the web page, as it may be served at an address."""
    token, read_token = os.environ.get(TOKEN), os.environ.get(READ_TOKEN)
    if not (address.host == "localhost" or is_loopback(address.host)) and not (token or read_token):
        raise click.UsageError(
            f"Other machines could open the page at {address.host}. Set {TOKEN} to a long random text, with which "
            f"visitors may read and act, or {READ_TOKEN}, with which they may read."
        )
    return web(app, engine, token=token, read_token=read_token, read_only=read_only)


def web_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options --web, --web-prefix and --web-read-only."""
    help_ = f"Serve the web page there, such as 127.0.0.1:{DEFAULT_PORT}. Any but a loopback address needs {TOKEN}."
    wanted = click.option("--web", type=address_of, metavar="HOST:PORT", help=help_)
    reading = click.option("--web-read-only", "read_only", is_flag=True, help="Forbid all acts by the web page.")
    help_ = "The path at which a proxy serves it. The proxy strips it from the requests that it forwards."
    below = click.option("--web-prefix", "prefix", type=prefix_of, metavar="/PATH", default="", help=help_)
    return wanted(below(reading(command)))

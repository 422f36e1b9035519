"""Where `afterwork serve --web` serves the web page, and who may see it there."""

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
    """`HOST:PORT`, `HOST`, `:PORT` or `[IPV6]:PORT`."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(DEFAULT_PORT)
    if not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is no HOST:PORT. An example: 127.0.0.1:{DEFAULT_PORT}")
    return Address(host.strip("[]") or "127.0.0.1", int(port))


def prefix_of(text: str) -> str:
    """The path under which a proxy shows the page: `/afterwork`, or nothing."""
    path = text.rstrip("/")
    if path and (not path.startswith("/") or path.startswith("//") or any(char in path for char in "?#%\\ ")):
        raise click.BadParameter(f"{text!r} is no path. An example: /afterwork")
    return path


def page_at(app: Afterwork, engine: Engine, address: Address, read_only: bool) -> "Starlette":
    """The web page, as it may be served at an address."""
    token, read_token = os.environ.get(TOKEN), os.environ.get(READ_TOKEN)
    if not (address.host == "localhost" or is_loopback(address.host)) and not (token or read_token):
        raise click.UsageError(
            f"Others than clients of this machine could see the page at {address.host}. Set {TOKEN} to a long random "
            f"text, which lets who knows it read and act, or {READ_TOKEN}, which lets them read."
        )
    return web(app, engine, token=token, read_token=read_token, read_only=read_only)


def web_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --web, --web-prefix and --web-read-only."""
    help_ = f"Serve the web page there, such as 127.0.0.1:{DEFAULT_PORT}. Any but a loopback address needs {TOKEN}."
    wanted = click.option("--web", type=address_of, metavar="HOST:PORT", help=help_)
    reading = click.option("--web-read-only", "read_only", is_flag=True, help="Nobody can act by the web page.")
    help_ = "The path at which a proxy shows it. The proxy takes it away from what it passes on."
    below = click.option("--web-prefix", "prefix", type=prefix_of, metavar="/PATH", default="", help=help_)
    return wanted(below(reading(command)))

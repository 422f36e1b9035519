"""`aw.web`: what an application mounts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from afterwork.app import Afterwork
from afterwork.errors import MissingPackage
from afterwork.web.access import Access, Authenticate

if TYPE_CHECKING:
    from starlette.applications import Starlette


def web(
    app: Afterwork,
    engine: Engine,
    *,
    token: str | None = None,
    read_token: str | None = None,
    authenticate: Authenticate | None = None,
    read_only: bool = False,
    secret: str | None = None,
    hosts: Sequence[str] = (),
) -> "Starlette":
    """The web page, the JSON API, `/metrics` and the probes of one database, as an ASGI application to mount or serve.

        application.mount("/afterwork", aw.web(app, engine, authenticate=whoever_is_logged_in))

    Who may come in: with `authenticate`, whoever that function (it may be async) gives an `Identity` for, given the
    request; else whoever shows `token`, who may read and act, or `read_token`, who may read. With none of these, only
    clients of this machine, by a loopback address. `read_only` lets nobody act. `secret` signs the cookies; name one if
    several processes serve the same page. `hosts` are further names that clients of this machine may call it by.

    Raises `MissingPackage` if the extra `web` is not installed.
    """
    try:
        from afterwork.web.application import application
    except ModuleNotFoundError as error:
        raise MissingPackage("The web page", error.name, "web") from None
    access = Access(token, read_token, authenticate, read_only, secret, tuple(hosts))
    return application(app, engine, access)

"""The web page, the JSON API, the metrics and the probes, as one ASGI application that an application mounts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from afterwork.errors import MissingPackage
from afterwork.web.access import Access, Authenticate, Identity

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from starlette.applications import Starlette

    from afterwork.app import Afterwork

__all__ = ["Identity", "web"]


def web(
    app: "Afterwork",
    engine: "Engine",
    *,
    token: str | None = None,
    read_token: str | None = None,
    authenticate: Authenticate | None = None,
    read_only: bool = False,
    secret: str | None = None,
    hosts: Sequence[str] = (),
) -> "Starlette":
    """Return an ASGI application with the web page, the JSON API, `/metrics` and the probes of one database.

        application.mount("/afterwork", aw.web(app, engine, authenticate=logged_in_user))

    Access: with `authenticate`, every request for which that function (it may be async) returns an `Identity`. It is
    given the application's own `Request`, and may return a response instead, such as a redirect to the login, or raise
    an `HTTPException`. Else every request with `token`, which may read and act, or with `read_token`, which may read.
    With none of these, only clients of this machine, by a loopback address. `read_only` forbids all acts. `secret`
    signs the cookies, instead of the key that the database has for all processes that serve it. `hosts` are further
    names by which clients of this machine may call it.

    Raises `MissingPackage` if the extra `web` is not installed.
    """
    try:
        from afterwork.web.application import application
    except ModuleNotFoundError as error:
        raise MissingPackage("The web page", error.name, "web") from None
    access = Access(token, read_token, authenticate, read_only, secret, tuple(hosts))
    return application(app, engine, access)

"""Access rules: who may see the pages, and who may act."""

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Identity:
    """A visitor: the `name` under which their acts are logged, and whether they may act (`may_act`) or only read."""

    name: str
    may_act: bool = False


Visitor = Union[Identity, "Response", None]
"""The answer of an application's own login: who it is, or the response to give instead; None for a stranger."""

Authenticate = Callable[["Request"], Visitor | Awaitable[Visitor]]
"""An application's own login. It is given the request as the application has it, with its session, user and state."""


@dataclass(frozen=True)
class Access:
    """The rules by which requests are let in; `afterwork.web.web` documents each."""

    token: str | None = None
    read_token: str | None = None
    authenticate: Authenticate | None = None
    read_only: bool = False
    secret: str | None = None
    hosts: tuple[str, ...] = ()

    @property
    def has_tokens(self) -> bool:
        return bool(self.token or self.read_token)

    @property
    def is_protected(self) -> bool:
        """Return whether visitors must identify themselves. If not, only clients of this machine are let in."""
        return self.authenticate is not None or self.has_tokens

    def by_token(self, shown: str) -> Identity | None:
        """Return the identity of a token, None for an unknown one."""
        if _same(self.token, shown):
            return Identity("token", may_act=True)
        return Identity("read token") if _same(self.read_token, shown) else None

    def signing_key(self, shared: str) -> str:
        """Return the key that signs cookies, by one that the page's servers share. It changes with the tokens."""
        parts = ("afterwork", shared, self.token or "", self.read_token or "")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def is_local(self, host: str, client: str | None, forwarded: str) -> bool:
        """Return whether a request comes from this machine, and was addressed to it.

        A foreign page may point its own host name to a loopback address, so the requested host must be one of this
        machine's names, too. A proxy on this machine passes on what others have sent, and says so: whomever it has
        `forwarded` the request for must be on this machine as well.
        """
        senders = [client or "", *filter(None, (sender.strip() for sender in forwarded.split(",")))]
        return _without_port(host).lower() in (*LOOPBACK_NAMES, *self.hosts) and all(map(is_loopback, senders))


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _same(known: str | None, shown: str) -> bool:
    return bool(known) and hmac.compare_digest((known or "").encode(), shown.encode())


def is_loopback(address: str) -> bool:
    """Return whether an IP address is a loopback address."""
    try:
        return ipaddress.ip_address(address.split("%", maxsplit=1)[0]).is_loopback
    except ValueError:
        return False

"""Who may come in, and what they may do."""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Identity:
    """Somebody who came in: the name under which their acts are logged, and whether they may act or only read."""

    name: str
    may_act: bool = False


Authenticate = Callable[["HTTPConnection"], Identity | None | Awaitable[Identity | None]]
"""An application's own login: given a request, who that is, or None."""


@dataclass(frozen=True)
class Access:
    """The rules by which visitors are let in; `afterwork.web.web` says what each means."""

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
        """Whether visitors must show who they are. If not, only clients of this machine are let in."""
        return self.authenticate is not None or self.has_tokens

    def by_token(self, shown: str) -> Identity | None:
        """Who shows this token."""
        if _same(self.token, shown):
            return Identity("token", may_act=True)
        return Identity("read token") if _same(self.read_token, shown) else None

    def signing_key(self) -> str:
        """What cookies are signed with. It changes with the tokens, so that sessions end when a token is changed."""
        known = [self.secret, self.token, self.read_token]
        if not any(known):
            return secrets.token_hex(32)
        return hashlib.sha256("\0".join(one or "" for one in ["afterwork", *known]).encode()).hexdigest()

    def is_local(self, host: str, client: str | None) -> bool:
        """Whether a request comes from this machine, and means it. A page of somebody else's may let its own name point
        to a loopback address, so the name that was asked for must be one of this machine's, too."""
        return _without_port(host).lower() in (*LOOPBACK_NAMES, *self.hosts) and is_loopback(client or "")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _same(known: str | None, shown: str) -> bool:
    return bool(known) and hmac.compare_digest((known or "").encode(), shown.encode())


def is_loopback(address: str) -> bool:
    """Whether an IP address is one that only this machine can reach."""
    try:
        return ipaddress.ip_address(address.split("%", maxsplit=1)[0]).is_loopback
    except ValueError:
        return False

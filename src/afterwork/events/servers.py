"""Events about servers: their life, their database, their threads, and acts by hand."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from afterwork.events.logged_event import LoggedEvent

MAX_LANES_NAMED = 3
"""Lanes that a message names; more are counted."""


@dataclass(frozen=True)
class ServerStarted(LoggedEvent):
    """A server that has started to look for work."""

    level = logging.INFO
    message = "server %(server)d started on %(database)s"

    server: int
    database: str


@dataclass(frozen=True)
class ServerStopping(LoggedEvent):
    """A server that begins nothing more and lets its runs end: it was told to stop, or stops by itself."""

    level = logging.INFO
    message = "server %(server)d stops as soon as its runs have ended%(because)s"

    server: int
    why: str = ""

    def words(self) -> Mapping[str, object]:
        return {"server": self.server, "because": f": {self.why}" if self.why else ""}


@dataclass(frozen=True)
class ServerStopped(LoggedEvent):
    """A server that has stopped. `unfinished` counts runs that did not end within the grace period."""

    level = logging.INFO
    message = "server %(server)d stopped, unfinished runs: %(unfinished)d"

    server: int
    unfinished: int


@dataclass(frozen=True)
class ServerCrashed(LoggedEvent):
    """Another server that is gone without having stopped. Its tickets are run one at a time."""

    level = logging.WARNING
    message = "server %(server)d (process %(process)d on %(host)s) is gone without having stopped"

    server: int
    host: str
    process: int


@dataclass(frozen=True)
class LoopBlocked(LoggedEvent):
    """An `async def` work that has kept the event loop for a while: all async runs stand still.

    `work` is "" if nobody knows whose code it is. Emitted once for each work.
    """

    level = logging.WARNING
    message = (
        "%(work)s%(on)s has blocked the event loop for %(seconds).1f s, in which all async runs of this server stand "
        "still. Await what takes long (await asyncio.to_thread(…), await aw.read(…)), or write the work as def"
    )

    work: str
    root_id: str | None
    seconds: float

    def words(self) -> Mapping[str, object]:
        on = "" if self.root_id is None else f" on {self.root_id}"
        return {"work": self.work or "something", "on": on, "seconds": self.seconds}


@dataclass(frozen=True)
class FellAsleep:
    """A server that has nothing due and waits until it is woken. It is not logged."""

    server: int


@dataclass(frozen=True)
class CantBeWoken(LoggedEvent):
    """A server that polls, since this PostgreSQL allows prepared transactions, which can't notify it.

    Emitted once.
    """

    level = logging.WARNING
    message = (
        "server %(server)d polls every %(seconds)g s instead of being woken: max_prepared_transactions is not 0, and a "
        "transaction that has notified a server can't be prepared. If none that writes tickets or tracked tables ever "
        "is, set Settings(notify=True); to silence this message, notify=False"
    )

    server: int
    every: timedelta

    def words(self) -> Mapping[str, object]:
        return {"server": self.server, "seconds": self.every.total_seconds()}


@dataclass(frozen=True)
class DatabaseLost(LoggedEvent):
    """A database that can't be reached. Emitted once, until it is back."""

    level = logging.ERROR
    message = "the database can't be reached, waiting for it: %(error)s"

    error: str


@dataclass(frozen=True)
class DatabaseBack(LoggedEvent):
    """A database that can be reached again, after `seconds`."""

    level = logging.INFO
    message = "the database is back after %(seconds).1f s"

    seconds: float


@dataclass(frozen=True)
class LacksRight(LoggedEvent):
    """A statement of the server that its role may not execute. It is tried again a few seconds later."""

    level = logging.ERROR
    message = "the server's role lacks a right, see what `afterwork check` says as this role: %(error)s"

    error: str


@dataclass(frozen=True)
class BeginsAnew(LoggedEvent):
    """A server whose database was replaced or restored beneath it, and that begins anew on what is there now."""

    level = logging.WARNING
    message = "the server begins anew: %(why)s"

    why: str


@dataclass(frozen=True)
class HeldUp(LoggedEvent):
    """A worker that has been with one run for `seconds`, so that another worker takes its place.

    Emitted once for each such run.
    """

    level = logging.WARNING
    message = "a run in lane %(lane)s has gone on for %(seconds)g s: another worker takes the place of its worker"

    lanes: Sequence[str]
    seconds: float

    def words(self) -> Mapping[str, object]:
        return {"lane": _listed(self.lanes), "seconds": self.seconds}


def _listed(names: Sequence[str]) -> str:
    """Return the first of several names, and the number of the others."""
    first, others = names[:MAX_LANES_NAMED], len(names) - MAX_LANES_NAMED
    return f"{', '.join(first)} or {others} others" if others > 0 else " or ".join(first)


@dataclass(frozen=True)
class Broken(LoggedEvent):
    """An unexpected exception in a part of the server, which goes on."""

    level = logging.ERROR
    message = "%(where)s raised %(kind)s"

    where: str
    error: Exception


@dataclass(frozen=True)
class WorkerLost(LoggedEvent):
    """A worker's thread that ended though nobody had asked it to. Another one takes its place."""

    level = logging.ERROR
    message = "the thread %(thread)s was lost and is replaced"

    thread: str
    error: BaseException | None


@dataclass(frozen=True)
class ListenerRaised(LoggedEvent):
    """A listener that raised, which changes nothing: it receives events as before. Emitted once for each."""

    level = logging.ERROR
    message = "the listener %(listener)s raised %(kind)s; it still receives all events, and this is logged only once"

    listener: str
    error: BaseException


@dataclass(frozen=True)
class ListenerHangs(LoggedEvent):
    """A listener that has been with one event for `seconds`. Nobody waits for it any more. Emitted once for each."""

    level = logging.ERROR
    message = (
        "the server has stopped waiting for the listener %(listener)s, which has not returned for %(seconds)g s. It "
        "gets its events when it is ready for them; if it never is, some are dropped. Give what it waits for a time-out"
    )

    listener: str
    seconds: float


@dataclass(frozen=True)
class Reloaded(LoggedEvent):
    """A file of jobs that was read again."""

    level = logging.INFO
    message = "reloaded %(path)s: %(jobs)d jobs"

    path: str
    jobs: int


@dataclass(frozen=True)
class Pruned(LoggedEvent):
    """Receipts whose DeleteTime had passed, and that were deleted."""

    level = logging.DEBUG
    message = "%(count)d receipts deleted"

    count: int


@dataclass(frozen=True)
class Acted(LoggedEvent):
    """An act by hand: `who` did `what` (retried, paused …) `on` something."""

    level = logging.INFO
    message = "%(who)s %(what)s %(on)s"

    who: str
    what: str
    on: str


@dataclass(frozen=True)
class WrongToken(LoggedEvent):
    """A token that does not open the page. `count` is how many this client has shown lately.

    `place` is where it was shown. With `is_last`, the page listens to no further token of it for a while."""

    level = logging.WARNING
    message = "a wrong token for the web page from %(client)s, in %(place)s%(so)s"

    client: str
    place: str
    count: int
    is_last: bool

    def words(self) -> Mapping[str, object]:
        so = f": the {self.count}th in a short time, so it has to wait" if self.is_last else ""
        return {"client": self.client, "place": self.place, "so": so}


ServerEvent = (
    ServerStarted | ServerStopping | ServerStopped | ServerCrashed | FellAsleep | CantBeWoken
    | DatabaseLost | DatabaseBack | LacksRight | BeginsAnew | HeldUp | LoopBlocked | Broken | WorkerLost
    | ListenerRaised | ListenerHangs | Reloaded | Pruned | Acted | WrongToken
)  # fmt: skip
"""All events of servers."""

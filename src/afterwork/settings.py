"""The settings of a server, for those who run it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

MAX_REPLACED_PER_WORKER = 2
"""For each configured worker, at most this many may replace others that have been with one run for long."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The knobs of a server, with defaults that suit most. All durations are timedeltas."""

    batch: int = 300
    """The maximum number of tickets of one lane in one transaction."""

    workers: int = 4
    """Simultaneous runs in one server: lanes, parallel runs and external runs. Caches and timers have one extra worker
    each, and so have short runs in lanes when all others are taken."""

    async_runs: int = 200
    """Simultaneous runs of `async def` works in one server, beside those of `workers`. All share one event loop; one
    that waits holds neither a thread nor a connection. Those taken over from a lost server come on top."""

    timeout: timedelta | None = None
    """The timeout of runs of tickets and timers whose work declares none: they end with `TimedOut`. None: never."""

    abandon_after: timedelta = timedelta(seconds=10)
    """A run that continues this long after its timeout is abandoned. Its lane and worker are given to others, and
    nothing that it still does counts."""

    held_limit: timedelta = timedelta(minutes=1)
    """A longer run is reported as holding up its worker, and another worker takes its place. At most twice as many as
    `workers` do so at a time."""

    lanes: Sequence[str] | None = None
    """The names of the lanes that a server serves; `parallel` is the lane of parallel runs. None: all."""

    except_lanes: Sequence[str] = ()
    """The lanes that a server leaves to others."""

    only: Sequence[str] = ()
    """Which kinds of work this server runs: any of "tickets", "timers" and "caches". Empty: all. Caches are in no
    lane."""

    lease: timedelta = timedelta(seconds=30)
    """The time for which an external run is protected without a sign of life; living servers renew it in time."""

    crash_limit: int = 3
    """A ticket is not tried again after its process has died this often while running it."""

    arguments_limit: int = 65_536
    """A ticket keeps at most this many bytes of arguments. What is larger belongs into a row of its own."""

    grace: timedelta = timedelta(seconds=30)
    """The time that a stopping server gives its runs to end."""

    safety_poll: timedelta = timedelta(minutes=3)
    """The interval at which an idle server looks for work, though it counts on being woken."""

    standby_poll: timedelta = timedelta(seconds=1)
    """The interval at which a server looks while work is due that another server holds."""

    file_poll: timedelta = timedelta(milliseconds=250)
    """The interval at which an idle server checks a SQLite file for changes, besides notifications by the system. Where
    the system (any but Linux) sends none, set it to a few milliseconds."""

    listen: bool = True
    """Let PostgreSQL wake the server. Turn it off behind a transaction-mode pooler: the server polls then."""

    prove_every: timedelta = timedelta(minutes=1)
    """The interval at which a server has the database prove that all changes of tables read by caches were captured.
    That is one statement for all tables."""

    notify: bool | None = None
    """Let writers notify a listening server; without that, it polls. PostgreSQL can't prepare a transaction that has
    notified, so None means: only where transactions can't be prepared at all (`max_prepared_transactions`)."""

    max_jobs: int | None = None
    """After this many runs, of all kinds, a server of `afterwork serve` restarts as a fresh program. It begins nothing
    more then, and waits for its runs however long they take, like one that is drained. None: never."""

    max_memory: int | None = None
    """The same once the server uses more bytes of memory than this. Its runs have `grace` to end then."""

    keep_failures: timedelta = timedelta(days=7)
    """The time for which the receipts of tickets that failed are kept, if their own KeepReceiptMinutes are fewer. A
    cancelled ticket has not failed."""

    prune_every: timedelta = timedelta(minutes=10)
    """The interval at which receipts whose DeleteTime has passed are deleted."""

    history: timedelta = timedelta(days=7)
    """The time for which sums by minute and by hour, and records of failed or slow runs, are kept."""

    slow_run: timedelta = timedelta(seconds=1)
    """A run that takes longer is recorded even if it succeeded."""

    at_once: timedelta = timedelta(milliseconds=20)
    """The limit for calculating stale members in the transaction that takes the change, the quickest way. It applies to
    the time that they took together when they last ran. Meanwhile others that take changes wait, on SQLite all writers.
    Zero turns this off."""

    inside_limit: timedelta = timedelta(seconds=60)
    """The time-out of code that has no other and holds up more than itself. If it goes on for a seventh longer and is
    silent, like a stopped process, PostgreSQL ends its transaction."""

    lock_limit: timedelta = timedelta(seconds=10)
    """A run that waits this long for a row that somebody else has locked is deferred."""

"""What the people who run a server can set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The knobs of a server, with defaults that suit most. All spans are timedeltas."""

    batch: int = 300
    """Tickets of one lane that one transaction takes at most."""

    workers: int = 4
    """Runs that go on at the same time in one server: lanes, parallel runs and outside runs. Caches and timers have a
    worker each besides, and so have short runs in lanes if all others are taken."""

    timeout: timedelta | None = None
    """A run of a ticket or timer whose work declares no `timeout` ends with `TimedOut` after so long. None: never."""

    abandon_after: timedelta = timedelta(seconds=10)
    """A run whose time-out has passed, and that doesn't hear of it, is abandoned after so long: its lane and its worker
    are given to others, and nothing that it still does counts."""

    held_limit: timedelta = timedelta(minutes=1)
    """A run that goes on for longer is said to hold its worker up, and another worker takes its place. At most twice as
    many as `workers` do so at a time."""

    lanes: Sequence[str] | None = None
    """The lanes that a server serves, by name; `parallel` is the one of what runs in parallel. None: all."""

    except_lanes: Sequence[str] = ()
    """The lanes that it leaves to others."""

    only: Sequence[str] = ()
    """The ways in which the work starts that it runs: of "tickets", "timers" and "caches". Empty: all. Caches are in no
    lane."""

    lease: timedelta = timedelta(seconds=30)
    """How long an outside run is protected without a sign of life; living servers renew it in time."""

    crash_limit: int = 3
    """A ticket whose process died this often while running it is not tried again."""

    grace: timedelta = timedelta(seconds=30)
    """How long a server that is told to stop lets its runs go on."""

    safety_poll: timedelta = timedelta(minutes=3)
    """An idle server looks for work this often, though it counts on being woken."""

    standby_poll: timedelta = timedelta(seconds=1)
    """How often a server looks while work is due that another server holds."""

    file_poll: timedelta = timedelta(milliseconds=250)
    """How often an idle server asks a SQLite file whether it has changed, beside being told of it by the system. Where
    the system (any but Linux) doesn't tell, set it to a few milliseconds."""

    listen: bool = True
    """Whether PostgreSQL may wake the server. Off behind a transaction-mode pooler: it polls then."""

    prove_every: timedelta = timedelta(minutes=1)
    """How often a server sees whether the database can show that all changes of what caches read were captured. That is
    one statement for all tables."""

    notify: bool | None = None
    """Whether those who write may have to notify a server that listens. PostgreSQL can't prepare a transaction that has
    notified. So None means: not where it lets transactions be prepared at all (`max_prepared_transactions`). Without
    it, the server polls."""

    max_jobs: int | None = None
    """After so many runs, a server that `afterwork serve` has started begins nothing more, lets its runs end as when it
    is told to stop, and begins anew as a fresh program. None: never."""

    max_memory: int | None = None
    """The same as soon as it uses more bytes of memory."""

    prune_every: timedelta = timedelta(minutes=10)
    """How often receipts whose DeleteTime has passed are deleted."""

    history: timedelta = timedelta(days=7)
    """How long sums of each minute, and records of runs that failed or were slow, are kept."""

    slow_run: timedelta = timedelta(seconds=1)
    """A run that takes longer is recorded, though it went well."""

    at_once: timedelta = timedelta(milliseconds=20)
    """Stale members whose calculation took no longer than this last time, all together, are calculated in the
    transaction that takes the change, which is the quickest way. Others who take changes wait meanwhile, on SQLite all
    who write. With zero, nothing is calculated that way."""

    inside_limit: timedelta = timedelta(seconds=60)
    """A transaction that says nothing to PostgreSQL for so long, as that of a stopped process does, is ended by it."""

    lock_limit: timedelta = timedelta(seconds=10)
    """A run that waits so long for a row that somebody else has locked is put off."""

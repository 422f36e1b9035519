"""Afterwork's own tables."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, false

from afterwork.model.utc_datetime import UtcDateTime

SCHEMA_VERSION = 11

metadata = MetaData()

installation = Table(
    "afterwork_installation",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
"""Facts about this installation: `schema_version`, and `installation`, an id that tells databases apart. `probe` is
written to see whether servers notice it."""

server = Table(
    "afterwork_server",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", Text, nullable=False),
    Column("process", Integer, nullable=False),
    Column("process_started", Float, nullable=False),
    Column("started", UtcDateTime, nullable=False),
    Column("seen", UtcDateTime, nullable=False),
    Column("locked", Boolean, nullable=False),
    Column("announced", UtcDateTime),
    Column("beat", UtcDateTime),
    Column("machine", Text),
    Column("stopping", Boolean, nullable=False, server_default=false()),
    Column("knows", Text),
    Column("serves", Text),
    Column("draining", Boolean, nullable=False, server_default=false()),
    sqlite_autoincrement=True,
)
"""The servers that are there. A server deletes its row when it stops; a row whose server is dead tells of a crash,
unless it was `stopping` in order. `locked` says that the server holds a lock as long as its connection lives, which
tells dead from slow, and `announced` since when. `machine` tells where the numbers of processes mean the same. It was
`seen` last by its own clock, at `beat` by that of the database. It `knows` works by their names, without what doesn't
count in them, and `serves` lanes; one that is `draining` was asked to begin nothing more."""

lane = Table(
    "afterwork_lane",
    metadata,
    Column("name", Text, primary_key=True),
    Column("lease", String(36)),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("slots", Integer),
    Column("has_rate", Boolean, nullable=False, server_default=false()),
)
"""One row for each lane. A transaction that runs jobs of it locks the row; `lease` is the outside run that has it. One
with `slots` is had by its slots instead, and `afterwork_lane_rate` says how often runs of one that `has_rate` begin."""

slot = Table(
    "afterwork_slot",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("lease", String(36)),
)
"""The slots of lanes in which several jobs run at a time. Each is had as a lane is; those of higher numbers than the
lane has slots are had no more."""

lane_rate = Table(
    "afterwork_lane_rate",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("max_starts", Integer, nullable=False),
    Column("per_seconds", Float, nullable=False),
    Column("starts", Text, nullable=False),
)
"""How many runs of a lane may begin in how many seconds, and when the last began, as `store/lane_rate.py` writes it."""

lease = Table(
    "afterwork_lease",
    metadata,
    Column("run", String(36), primary_key=True),
    Column("ticket", Text, nullable=False, unique=True),
    Column("lane", Text, nullable=False),
    Column("server", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("taken", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Index("afterwork_lease_server", "server"),
)
"""Runs that go on with no transaction open. Whoever takes one over raises its epoch; only the last may settle it."""

suspect = Table(
    "afterwork_suspect",
    metadata,
    Column("key", Text, primary_key=True),
    Column("deaths", Integer, nullable=False, server_default="0"),
    Column("near", Integer, nullable=False, server_default="0"),
    Column("cause", String(12), nullable=False),
    Column("detail", Text),
    Column("at", UtcDateTime, nullable=False),
)
"""What was being tried when its process, connection or worker ended: how often it was the one that had begun last, how
often it was `near`, running beside that one; and by what it ended the last time. Forgotten when it has ended."""

quarantine = Table(
    "afterwork_quarantine",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
"""Where something has died that left no trace, so that each server tries one thing after the other there for a while:
a lane, what stands for one, or "" for all; and when that was."""

timer = Table(
    "afterwork_timer",
    metadata,
    Column("name", Text, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("last_due", UtcDateTime),
    Column("fired", UtcDateTime),
    Column("ended", UtcDateTime),
    Column("matches", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Index("afterwork_timer_due", "due"),
)
"""The timers of the model, and their last round: the due time that it was for, when it began and when its last run
ended, how many objects matched, how many of these failed, and the last error. `due` is the next due time; `set_at` is
when that was determined: if the clock shows an earlier time, it was put back."""

match = Table(
    "afterwork_match",
    metadata,
    Column("id", String(60), primary_key=True),
    Column("view_model", Text, nullable=True),
    Column("root_id", Text),
    Column("execute_earliest", UtcDateTime),
    Column("keep_receipt_minutes", Integer, nullable=False, server_default="0"),
    Column("done", UtcDateTime),
    Column("delete_time", UtcDateTime),
    Column("error", Text),
    Column("priority", Integer),
    Column("lane", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created", UtcDateTime, nullable=False),
    Column("due", UtcDateTime),
    Column("variables", Text),
    Index("afterwork_match_timer", "view_model", "root_id"),
)
"""The objects that rounds of timers matched, each with a row like a ticket's. One that failed keeps its row, and so the
id of its run, until it matches again or is forgotten. `due` and `variables` are those of the round."""

unnoted_match = Table(
    "afterwork_unnoted_match",
    metadata,
    Column("timer", Text, primary_key=True),
    Column("first", UtcDateTime, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("roots", Text, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("variables", Text),
)
"""The objects that rounds have found, beyond a first slice, until they are noted as matches: a slice of `size` in each
row. `first` is the moment of the first match in it; `due` and `variables` are those of the round."""

once = Table(
    "afterwork_once",
    metadata,
    Column("name", Text, primary_key=True),
    Column("began", UtcDateTime, nullable=False),
    Column("ended", UtcDateTime),
    Column("seconds", Float),
    Column("result", Text),
    Column("error", Text),
)
"""The actions that have run once: when, for how long, and what came of it. One whose row says no end goes on outside
of a transaction, under a lease; without a lease, its server is gone."""

progress = Table(
    "afterwork_progress",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("done", BigInteger),
    Column("total", BigInteger),
    Column("at", UtcDateTime, nullable=False),
    Column("stop", Boolean, nullable=False, server_default=false()),
)
"""Runs that go on, by the key of their ticket or match: how far they say to be, and whether they were asked to stop."""

conflict = Table(
    "afterwork_conflict",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("machine", "source", "taken", "other")),
    Column("root_id", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""Transitions without an event of which two were possible at once, each pair once: the machine, the state, the one that
was taken and the other; and the first object that met it, and when."""

transition = Table(
    "afterwork_transition",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("root_id", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("source", Text),
    Column("target", Text),
    Column("event", Text),
    Column("mover", Text),
    Column("at", UtcDateTime, nullable=False),
    Index("afterwork_transition_root", "root_id", "machine", "id"),
)
"""The history of machines that keep one: each move of an object, by an event or, without one, because a guard came
true; and the work that ran then, null for the application's own code."""

_SUMS = ("done", "failed", "put_off")


def _sums() -> list[Column[Any]]:
    counts: list[Column[Any]] = [Column(name, BigInteger, nullable=False) for name in _SUMS]
    times: list[Column[Any]] = [Column(name, Float, nullable=False) for name in ("seconds", "wait")]
    return [*counts, *times, Column("took", Text, nullable=False), Column("latency", Text, nullable=False)]


minute = Table(
    "afterwork_minute",
    metadata,
    Column("minute", UtcDateTime, primary_key=True),
    Column("server", BigInteger, primary_key=True, autoincrement=False),
    Column("work", Text, primary_key=True),
    Column("source", String(10), primary_key=True),
    *_sums(),
)
"""What the runs of one work that ended in one minute came to, on one server, which alone writes the row, again and
again while the minute goes on: how many were done, failed, or were put off; the seconds that they took and that they
waited; and the histograms of both, `took` and `latency` (from due to done), as `store/history.py` writes them."""

total = Table(
    "afterwork_total",
    metadata,
    Column("work", Text, primary_key=True),
    Column("source", String(10), primary_key=True),
    *_sums(),
)
"""The same over all servers and all time. Never goes down, also when minutes are forgotten."""

run = Table(
    "afterwork_run",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("run", String(36), nullable=False),
    Column("ticket", Text),
    Column("work", Text, nullable=False),
    Column("root_id", Text),
    Column("source", String(10), nullable=False),
    Column("server", BigInteger, nullable=False),
    Column("ended", UtcDateTime, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("error", Text),
    Column("trace", Text),
    Index("afterwork_run_ended", "ended", "id"),
    Index("afterwork_run_outcome", "outcome", "ended", "id"),
    Index("afterwork_run_work", "work", "ended", "id"),
    Index("afterwork_run_work_outcome", "work", "outcome", "ended", "id"),
    Index("afterwork_run_ticket", "ticket", "ended", "id"),
    Index("afterwork_run_root", "root_id", "ended", "id"),
)
"""Runs that are worth a look: those that failed or were put off, and slow ones; in a storm, the first of a minute."""

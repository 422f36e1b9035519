"""Afterwork's own tables."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, false, text

from afterwork.model.utc_datetime import UtcDateTime

SCHEMA_VERSION = 17

metadata = MetaData()

installation = Table(
    "afterwork_installation",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
"""Facts about this installation: `schema_version`, and `installation`, an id that tells databases apart. `probe` is
written to test whether servers notice it, `restored` is another value after each restore that was seen. `page_key` is
what signs cookies and forms of the web page."""

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
"""The running servers. A server deletes its row when it stops; a row whose server is dead indicates a crash, unless it
was `stopping` in order. `locked` says that the server holds a lock while its connection lives, which tells dead from
slow, and `announced` since when. `machine` is the scope of process numbers. It was `seen` last by its own clock, at
`beat` by that of the database. It `knows` jobs by their names, without the parts that don't count in them, and `serves`
lanes; one that is `draining` was asked to begin nothing more."""

lane = Table(
    "afterwork_lane",
    metadata,
    Column("name", Text, primary_key=True),
    Column("lease", String(36)),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("slots", Integer),
    Column("has_rate", Boolean, nullable=False, server_default=false()),
)
"""One row per lane. A transaction that runs its jobs locks the row; `lease` is the external run that holds it. A lane
with `slots` is locked by its slots instead; `afterwork_lane_rate` limits one that `has_rate`."""

slot = Table(
    "afterwork_slot",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("lease", String(36)),
)
"""The slots of lanes in which several jobs run at a time. Each is locked as a lane is; slots with numbers above the
lane's current number of slots are not used any more."""

lane_rate = Table(
    "afterwork_lane_rate",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("max_starts", Integer, nullable=False),
    Column("per_seconds", Float, nullable=False),
    Column("starts", Text, nullable=False),
)
"""The number of runs of a lane that may begin in how many seconds, and the last starts (see `store/lane_rate.py`)."""

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
"""Runs that go on with no transaction open. A takeover raises the epoch; only the last holder may settle the run."""

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
"""Work that was being tried when its process, connection or worker ended, with the last cause. `deaths` counts how
often it was the one begun last; `near`, how often it was running beside that one. Deleted when the work has ended."""

quarantine = Table(
    "afterwork_quarantine",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
"""Places where something died without a trace. For a while, each server tries one thing at a time there: a lane,
what stands for one, or "" for all; and when that was."""

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
"""The timers of the model, and their last round. It has a due time, the times of its beginning and of the end of its
last run, the numbers of matches and of failures, and the last error. `due` is the next due time; `set_at` is when that
was determined: if the clock shows an earlier time, it was put back."""

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
"""The objects that rounds of timers matched, each with a row like a ticket's. A failed one keeps its row, and so its
run's id, until it matches again or is pruned. `due` and `variables` are those of the round."""

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
"""Objects that rounds have found but not yet noted as matches, beyond a first slice. A row has a slice of `size`.
`first` is the timestamp of its first match; `due` and `variables` are those of the round."""

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
"""The actions that have run once: when, for how long, and with which result. One without an end still runs outside of a
transaction, under a lease; without a lease, its server is gone."""

progress = Table(
    "afterwork_progress",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("done", BigInteger),
    Column("total", BigInteger),
    Column("at", UtcDateTime, nullable=False),
    Column("stop", Boolean, nullable=False, server_default=false()),
)
"""Runs in progress, by the key of their ticket or match: their reported progress, and requests to stop them."""

step = Table(
    "afterwork_step",
    metadata,
    Column("run", String(36), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("ticket", Text, nullable=False, index=True),
    Column("result", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("is_open", Boolean, nullable=False, server_default=false()),
)
"""The steps of external runs that were done, with their results as JSON. Another attempt does not repeat them. They go
with the receipt of their ticket or match. One that `is_open` has no secret in its result."""

waiter = Table(
    "afterwork_waiter",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("process", Integer, primary_key=True, autoincrement=False),
    info={"only": "postgresql"},
)
"""The tickets that somebody waits for, by their keys as texts. `process` is that of the connection in PostgreSQL that
listens for their ends. Only if it has rows does the end of a ticket notify."""
flow = Table(
    "afterwork_flow",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("prerequisites", Integer, nullable=False),
    Column("pending", Integer, nullable=False),
    Column("if_failed", String(6), nullable=False),
    Column("earliest", UtcDateTime),
    Column("decided", Boolean, nullable=False, server_default=false()),
    Index(
        "afterwork_flow_undecided",
        "ticket",
        postgresql_where=text("NOT decided"),
        sqlite_where=text("NOT decided"),
    ),
)
"""Tickets that wait for others, by their keys: for how many, how many of these are `pending`, and what a failure means.
Once it is `decided`, the ticket may run, not before `earliest`, or has ended. A row goes with its ticket's receipt."""

prerequisite = Table(
    "afterwork_prerequisite",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("prerequisite", Text, primary_key=True),
    Column("outcome", String(6)),
    Index("afterwork_prerequisite_of", "prerequisite"),
)
"""The pairs of flows: a ticket, one that it waits for, and how that has ended. Null: not yet, or not in a way that
counts."""

ended_session = Table(
    "afterwork_ended_session",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("until", UtcDateTime, nullable=False),
)
"""Sessions of the web page's visitors that were left: a copy of their cookie opens nothing any more. A row stays until
that would have expired."""

conflict = Table(
    "afterwork_conflict",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("machine", "source", "taken", "other")),
    Column("root_id", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""Pairs of transitions without an event that were possible at the same time, each pair once. A row has the machine, the
state, the transition taken and the other, and the first object affected, with the time."""

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
"""The history of machines that keep one: each transition of an object. `event` is null if a guard became true. `mover`
is the work that ran then, null for the application's own code."""

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
"""Sums over the runs of one job that ended in one minute on one server, as `store/history.py` writes them. `took` and
`latency` (from due to done) are histograms. Only that server writes the row, repeatedly during the minute."""

hour = Table(
    "afterwork_hour",
    metadata,
    Column("work", Text, primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("server", BigInteger, primary_key=True, autoincrement=False),
    Column("source", String(10), primary_key=True),
    *_sums(),
    Index("afterwork_hour_hour", "hour"),
)
"""The same by the hour, so that a day or a week is read from a sixtieth of the rows. Kept as long as minutes."""

total = Table(
    "afterwork_total",
    metadata,
    Column("work", Text, primary_key=True),
    Column("source", String(10), primary_key=True),
    *_sums(),
)
"""The sums over all servers and all time. Never decreases, even when minutes are pruned."""

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
"""Runs that deserve attention: failed, put off, or slow; in a storm, only the first of a minute."""

"""Lanes and leases: their holders, over all servers."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, exists, func, or_, select, text, update

from afterwork.model.lane import MAIN, PARALLEL
from afterwork.store.database import Database
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.tables import lane as lanes
from afterwork.store.tables import lease as leases
from afterwork.store.tables import server as servers
from afterwork.store.tables import slot as slots
from afterwork.store.tables import suspect as suspects

AT_ONCE = 1000
"""The number of lanes that one statement names."""


@dataclass(frozen=True)
class Lease:
    """The right to settle one run. It is lost when another server raises the epoch."""

    run: str
    ticket: str
    lane: str
    server: int
    epoch: int


_OURS = DirectStatement(
    select(leases.c.run)
    .where(
        leases.c.run == bindparam("run"), leases.c.epoch == bindparam("epoch"), leases.c.server == bindparam("server")
    )
    .with_for_update()
)
_RELEASED = DirectStatement(delete(leases).where(leases.c.run == bindparam("run")))


def ensure_lanes(connection: Connection, names: Iterable[str]) -> bool:
    """Ensure that each lane has a row. Return whether one was missing, so that something had to be written."""
    wanted, wrote = sorted(names), False
    for chunk in (wanted[start : start + AT_ONCE] for start in range(0, len(wanted), AT_ONCE)):
        present = set(connection.execute(select(lanes.c.name).where(lanes.c.name.in_(chunk))).scalars())
        if missing := [name for name in chunk if name not in present]:
            _add_lanes(connection, missing)
            connection.commit()
            wrote = True
    return wrote


def _add_lanes(connection: Connection, names: Sequence[str]) -> None:
    """Add rows by one statement: on SQLite, after each statement a busy process lets other threads go on."""
    values = {f"name_{number}": name for number, name in enumerate(names)}
    rows = ", ".join(f"(:{parameter})" for parameter in values)
    connection.execute(text(f"INSERT INTO afterwork_lane (name) VALUES {rows} ON CONFLICT (name) DO NOTHING"), values)


def forget_lanes(connection: Connection, is_used: ColumnElement[bool], most: int) -> int:
    """Delete the rows of up to `most` unused lanes, and return their number. Whoever needs one recreates it."""
    # A locked row is in use.
    free = _unused(is_used).limit(most).with_for_update(skip_locked=True)
    return connection.execute(delete(lanes).where(lanes.c.name.in_(free))).rowcount


def any_unused(is_used: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that a lane is unused."""
    return _unused(is_used).exists()


def _unused(is_used: ColumnElement[bool]) -> Select[str]:
    c = lanes.c
    # A row with a lease, a pause or rules carries information.
    says_nothing = ~c.paused, c.lease.is_(None), c.slots.is_(None), ~c.has_rate, c.name.not_in([MAIN, PARALLEL])
    return select(c.name).where(*says_nothing, ~is_used)


def lock_lane(connection: Connection, name: str) -> bool:
    """Lock a lane until this transaction ends. Return False if it is taken or paused."""
    free = select(lanes.c.name).where(*_is_alone(name), lanes.c.lease.is_(None), ~lanes.c.paused)
    if connection.execute(free.with_for_update(skip_locked=True)).scalar() is not None:
        return True
    return connection.execute(free_slot(name).with_for_update(of=slots, skip_locked=True)).first() is not None


def _is_alone(name: object) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for a lane of this name that is locked by its own row."""
    return lanes.c.name == name, lanes.c.slots.is_(None)


def free_slot(name: object) -> Select[Any]:
    """Return the query for a free slot of a lane. None is free while a removed slot is leased."""
    beyond = slots.alias("beyond")
    too_many = exists().where(
        beyond.c.lane == slots.c.lane, beyond.c.number > lanes.c.slots, beyond.c.lease.is_not(None)
    )
    is_free = lanes.c.lease.is_(None), ~lanes.c.paused, slots.c.lease.is_(None), slots.c.number <= lanes.c.slots
    return (
        select(slots.c.lane.label("name"), slots.c.number)
        .join(lanes, lanes.c.name == slots.c.lane)
        .where(slots.c.lane == name, *is_free, ~too_many)
        .limit(1)
    )


def take(database: Database, connection: Connection, *begun: Lease) -> None:
    """Begin leases, in the transaction that has claimed the tickets and their lane."""
    if not begun:
        return
    times = {"taken": database.after(timedelta(0)), "expires": _end(database)}
    connection.execute(leases.insert().values(times), [vars(lease) for lease in begun])
    for lease in begun:
        if lease.lane != PARALLEL:
            alone = update(lanes).where(*_is_alone(lease.lane)).values(lease=lease.run)
            if not connection.execute(alone).rowcount:
                _take_slot(connection, lease)


def _take_slot(connection: Connection, lease: Lease) -> None:
    """Take a slot; this transaction has locked one."""
    slot_count = select(lanes.c.slots).where(lanes.c.name == lease.lane).scalar_subquery()
    free = (
        select(slots.c.number)
        .where(slots.c.lane == lease.lane, slots.c.lease.is_(None), slots.c.number <= slot_count)
        .limit(1)
        .with_for_update(of=slots, skip_locked=True)
    )
    mine = slots.c.lane == lease.lane, slots.c.number == connection.execute(free).scalar()
    connection.execute(update(slots).where(*mine).values(lease=lease.run))


def holds(connection: Connection, lease: Lease) -> bool:
    """Return whether the lease is still ours; if so, nobody can take it over before this transaction ends."""
    ours = {"run": lease.run, "epoch": lease.epoch, "server": lease.server}
    return bool(_OURS.execute(connection, ours))


def is_taken(connection: Connection, ticket: str) -> bool:
    return connection.execute(select(leases.c.run).where(leases.c.ticket == ticket)).scalar() is not None


def has(connection: Connection, server: int, ticket: str) -> bool:
    """Return whether a server still holds the lease of a ticket."""
    mine = select(leases.c.run).where(leases.c.server == server, leases.c.ticket == ticket)
    return connection.execute(mine).scalar() is not None


def release(connection: Connection, lease: Lease) -> None:
    """End a lease, in the transaction that settles its run."""
    _RELEASED.change(connection, {"run": lease.run})
    if lease.lane != PARALLEL:
        alone = update(lanes).where(lanes.c.lease == lease.run).values(lease=None)
        if not connection.execute(alone).rowcount:
            connection.execute(update(slots).where(slots.c.lease == lease.run).values(lease=None))


def renew(database: Database, connection: Connection, server: int, runs: Collection[str]) -> None:
    """Extend the leases of these runs, to show that their server is alive."""
    mine = leases.c.server == server, leases.c.run.in_(list(runs))
    connection.execute(update(leases).where(*mine).values(expires=_end(database)))


def begin_again(database: Database, connection: Connection, lease: Lease) -> None:
    """Record that a run that was taken over begins now."""
    now = database.after(timedelta(0))
    connection.execute(update(leases).where(leases.c.run == lease.run, leases.c.epoch == lease.epoch).values(taken=now))


def _end(database: Database) -> ColumnElement[datetime]:
    return database.after(database.settings.lease)


def any_beside(connection: Connection, mine: Collection[str]) -> bool:
    """Return whether leases exist that this server does not work on, and must watch."""
    return connection.execute(select(leases.c.run).where(leases.c.run.not_in(list(mine))).limit(1)).scalar() is not None


def abandoned(database: Database, connection: Connection, server: int) -> list[Lease]:
    """Return leases that perhaps nobody works on: expired, of a lost server, or this server's own. Only this server can
    tell its own from those that it has forgotten."""
    c = leases.c
    # In one statement with the servers, or a server that enters in between would look lost.
    lost = c.server.not_in(select(servers.c.id))
    alone = or_(lost, c.server == server, c.expires < database.after(timedelta(0)))
    deaths = func.coalesce(select(suspects.c.deaths).where(suspects.c.key == c.ticket).scalar_subquery(), 0)
    query = select(c.run, c.ticket, c.lane, c.server, c.epoch).where(alone).order_by(deaths, c.taken)
    return [Lease(*row) for row in connection.execute(query)]


def take_over(database: Database, connection: Connection, lease: Lease, server: int) -> Lease | None:
    """Make a lease this server's own, unless it was taken over or is just being settled. Its former holder can't settle
    it any more."""
    c = leases.c
    free = select(c.run).where(c.run == lease.run, c.epoch == lease.epoch).with_for_update(skip_locked=True)
    taken = connection.execute(
        update(leases).where(c.run.in_(free)).values(server=server, epoch=lease.epoch + 1, expires=_end(database))
    )
    return replace(lease, server=server, epoch=lease.epoch + 1) if taken.rowcount else None


def paused(connection: Connection) -> set[str]:
    """Return the lanes in which no job may begin."""
    return set(connection.execute(select(lanes.c.name).where(lanes.c.paused)).scalars())


def pause(connection: Connection, name: str, paused: bool) -> None:
    """Pause a lane, so that none of its jobs begin, or resume it."""
    ensure_lanes(connection, [name])
    connection.execute(update(lanes).where(lanes.c.name == bindparam("lane")).values(paused=paused), {"lane": name})

"""Lanes with a limit above one, and lanes with a rate, as the model declares them, over all servers.

The rules are in the database, as declared by the server that started last. So all servers follow the same rules, even
those whose code declares others; and a server that doesn't know a limit or rate can't take a lane that has one.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Literal, get_args

from sqlalchemy import Connection, bindparam, delete, or_, select, text, update

from afterwork.model.lane import PARALLEL, Lane, Rate
from afterwork.store.database import Database
from afterwork.store.leases import ensure_lanes
from afterwork.store.tables import lane as lanes
from afterwork.store.tables import lane_rate as lane_rates
from afterwork.store.tables import slot as slots

LaneMode = Literal["alone", "slots", "parallel"]
"""The modes of a lane: its jobs run one at a time, one per slot, or in parallel."""

MODES: tuple[LaneMode, ...] = get_args(LaneMode)

Rule = tuple[int | None, Rate | None]

_SLOT = text("INSERT INTO afterwork_slot (lane, number) VALUES (:lane, :number) ON CONFLICT (lane, number) DO NOTHING")
_RATE = text(
    "INSERT INTO afterwork_lane_rate (lane, max_starts, per_seconds, starts)"
    " VALUES (:lane, :max_starts, :per_seconds, '[]')"
    " ON CONFLICT (lane) DO UPDATE SET max_starts = excluded.max_starts, per_seconds = excluded.per_seconds"
)


class LaneLimits:
    """The rules of lanes that one server knows. `declared` are those of its model, `used` the names of all lanes that
    its jobs name."""

    def __init__(self, declared: Mapping[str, Lane] | None = None, used: Collection[str] = ()) -> None:
        self._declared = declared or {}
        self._used = used
        self._rules: Mapping[str, Rule] = {}

    def slots(self, lane: str) -> int:
        """Return how many jobs of a lane may run at a time."""
        return self._rules.get(lane, (None, None))[0] or 1

    def rate(self, lane: str) -> Rate | None:
        return self._rules.get(lane, (None, None))[1]

    def mode(self, lane: str) -> LaneMode:
        if lane == PARALLEL:
            return "parallel"
        return "alone" if self._rules.get(lane, (None, None))[0] is None else "slots"

    def claims_singly(self, lane: str) -> bool:
        """Return whether each job of a lane is claimed separately, since others share the lane with it."""
        return lane == PARALLEL or lane in self._rules

    def refresh(self, connection: Connection) -> None:
        """Reload the rules: other servers may have changed them."""
        self._rules = rules(connection)

    def declare(self, database: Database, connection: Connection) -> None:
        """Write the rules that the model declares to the database, where they differ."""
        self.refresh(connection)
        if changes := list(self._to_declare()):
            for name, limit, rate in changes:
                _declare(database, connection, name, limit, rate)
            self.refresh(connection)

    def _to_declare(self) -> Iterator[tuple[str, int, Rate | None]]:
        """Yield the lanes whose stored rules differ from the model's, with their limits and rates."""
        for name, lane in self._declared.items():
            slots, rate = self._rules.get(name, (None, None))
            if ((slots or 1), rate) != (lane.limit, lane.own_rate):
                yield name, lane.limit, lane.own_rate
        for name in self._rules.keys() & set(self._used) - self._declared.keys():
            if self._rules[name] != (1, None):
                yield name, 1, None


def rules(connection: Connection) -> dict[str, Rule]:
    """Return the slots and rates of the lanes that have any."""
    c, p = lanes.c, lane_rates.c
    query = select(c.name, c.slots, p.max_starts, p.per_seconds).join(lane_rates, p.lane == c.name, isouter=True)
    rows = connection.execute(query.where(or_(c.slots.is_not(None), c.has_rate))).all()
    connection.commit()
    return {
        name: (slots, None if most is None else Rate(most, timedelta(seconds=per))) for name, slots, most, per in rows
    }


def _declare(database: Database, connection: Connection, name: str, limit: int, rate: Rate | None) -> None:
    ensure_lanes(connection, [name])
    connection.commit()
    with database.transaction(connection):
        # Waits for a run that holds the whole lane.
        row = connection.execute(select(lanes.c.slots).where(lanes.c.name == name).with_for_update()).one()
        wanted = limit if limit > 1 or row.slots is not None else None
        if wanted is not None:
            connection.execute(_SLOT, [{"lane": name, "number": number} for number in range(1, wanted + 1)])
            # Waits for inside runs in slots about to be removed. External ones are seen by their lease.
            beyond = select(slots.c.number).where(slots.c.lane == name, slots.c.number > wanted)
            connection.execute(beyond.order_by(slots.c.number).with_for_update()).all()
        if rate is None:
            connection.execute(delete(lane_rates).where(lane_rates.c.lane == name))
        else:
            connection.execute(
                _RATE, {"lane": name, "max_starts": rate.max_starts, "per_seconds": rate.per.total_seconds()}
            )
        mine = update(lanes).where(lanes.c.name == bindparam("lane"))
        connection.execute(mine.values(slots=wanted, has_rate=rate is not None), {"lane": name})

"""The statements by which a trigger on PostgreSQL notes what its changes touch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from afterwork.store.journal.route_spec import NumberedRoute
from afterwork.store.postgresql.capture_rows import TransitionRows
from afterwork.store.postgresql.row_pairs import Pairing, any_of, differing

BY_SETTINGS = {"date", "timestamp", "timestamptz"}
"""The forms of values whose texts depend on a writer's settings, unless JSON writes them."""

REFRESHING = "afterwork.refreshing"
"""The setting with the route for overwritten values that a transaction is writing itself."""


@dataclass(frozen=True)
class TouchTarget:
    """The table that touches are written into, with the columns that come first in it and their values. `then` is what
    follows."""

    table: str
    columns: str = ""
    values: str = ""
    then: str = ""


FOR_SERVERS = TouchTarget("afterwork_touch")

AT_COMMIT = TouchTarget(
    "afterwork_commit_touch",
    "tx, ",
    "pg_current_xact_id(), ",
    """
    INSERT INTO {schema}.afterwork_committing (tx) SELECT pg_current_xact_id()
        WHERE NOT EXISTS (SELECT FROM {schema}.afterwork_committing WHERE tx = pg_current_xact_id())
        AND EXISTS (SELECT FROM {schema}.afterwork_commit_touch WHERE tx = pg_current_xact_id());""",
)
"""A transaction's first row of `afterwork_committing` fires what follows the touches when it commits."""


def touch_blocks(schema: str, rows: TransitionRows, pairing: Pairing, routes: Sequence[NumberedRoute]) -> str:
    """Return the part of a trigger function that notes what a statement touches; empty without routes. Its last
    statement writes the touches for servers."""
    followed_by = {
        AT_COMMIT: [route for route in routes if route.spec.at_commit],
        FOR_SERVERS: [route for route in routes if not route.spec.at_commit],
    }
    blocks = (TouchBlock(schema, rows, pairing, own, target) for target, own in followed_by.items() if own)
    return "".join(block.block() for block in blocks)


@dataclass(frozen=True)
class TouchBlock:
    """Writes touches of the rows of one table, each once for a statement."""

    schema: str
    rows: TransitionRows
    pairing: Pairing
    routes: Sequence[NumberedRoute]
    target: TouchTarget

    def block(self) -> str:
        """Return the block of a trigger function that notes all touches of a statement."""
        wholes = ", ".join(f"({self.target.values}{route.number}, true)" for route in self.routes)
        return f"""
    IF TG_NARGS > 0 OR TG_OP = 'TRUNCATE' OR NOT afterwork_are_known THEN
        INSERT INTO {self._into} ({self.target.columns}route, whole) VALUES {wholes};
    ELSIF TG_OP = 'UPDATE' THEN
        {self._insert(self._pairs, self._of_update())};
    ELSIF TG_OP = 'INSERT' THEN
        {self._insert(f"{self.rows.of('afterwork_new')} AS n", self._of_side("n"))};
    ELSE
        {self._insert(f"{self.rows.of('afterwork_old')} AS o", self._of_side("o"))};
    END IF;{self.target.then.format(schema=self.schema)}"""

    @property
    def _into(self) -> str:
        return f"{self.schema}.{self.target.table}"

    @property
    def _pairs(self) -> str:
        old, new = (self.rows.of(f"afterwork_{side}", *self.pairing.more) for side in ("old", "new"))
        return f"{old} AS o FULL JOIN {new} AS n ON {self.pairing.on}"

    def _insert(self, source: str, touches: Iterable[str]) -> str:
        values = ", ".join(touches)
        if not values:
            return "NULL"
        names = ", ".join(f"v{place}" for place in range(1, self._width + 1))
        alike = ", ".join(
            f"({first.number}, {route.number})" for first, *rest in self._alike for route in (first, *rest)
        )
        return (
            f"INSERT INTO {self._into} ({self.target.columns}route, {names})"
            f" SELECT {self.target.values}alike.route, {names} FROM (SELECT DISTINCT first, {names} FROM {source}"
            f" CROSS JOIN LATERAL (VALUES {values}) AS touch (counts, first, {names}) WHERE counts) AS touch"
            f" JOIN (VALUES {alike}) AS alike (first, route) ON alike.first = touch.first"
        )

    @cached_property
    def _alike(self) -> Sequence[Sequence[NumberedRoute]]:
        """The routes in groups that are touched by the same changes with the same values, which are found once."""
        groups: dict[object, list[NumberedRoute]] = {}
        for route in self.routes:
            key = route.number if route.spec.role == "overwritten" else (route.spec.columns, route.spec.counting)
            groups.setdefault(key, []).append(route)
        return list(groups.values())

    def _of_side(self, side: str) -> Iterator[str]:
        for route, *_ in self._alike:
            if route.spec.role != "overwritten":
                yield self._touch(route, side, "true")

    def _of_update(self) -> Iterator[str]:
        for route, *_ in self._alike:
            differs = any_of(differing(self.rows, [name for name in route.spec.counting if name in self.rows.places]))
            o_missing, n_missing, other = (
                self.pairing.is_missing("o"),
                self.pairing.is_missing("n"),
                self.pairing.is_other,
            )
            if route.spec.role == "overwritten":
                by_others = f"current_setting('{REFRESHING}', true) IS DISTINCT FROM '{route.number}'"
                kept = f"NOT ({o_missing} OR {n_missing} OR {other})"
                yield self._touch(route, "n", f"{kept} AND {differs} AND {by_others}")
            else:
                yield self._touch(route, "o", f"NOT {o_missing} AND ({n_missing} OR {other} OR {differs})")
                yield self._touch(route, "n", f"NOT {n_missing} AND ({o_missing} OR {other} OR {differs})")

    def _touch(self, route: NumberedRoute, side: str, counts: str) -> str:
        values = [self._value(side, name) for name in route.spec.columns]
        values += ["NULL"] * (self._width - len(values))
        return f"({counts}, {route.number}, {', '.join(values)})"

    def _value(self, side: str, name: str) -> str:
        if name not in self.rows.places:
            return "NULL"
        reference = f"{side}.c{self.rows.places[name]}"
        return (
            f"to_jsonb({reference}) #>> '{{}}'" if self.rows.forms[name].name in BY_SETTINGS else f"{reference}::text"
        )

    @property
    def _width(self) -> int:
        return max(len(route.spec.columns) for route in self.routes)

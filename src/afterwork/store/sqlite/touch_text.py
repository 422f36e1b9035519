"""The statements by which the triggers on SQLite note what a change touches."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from afterwork.store.journal.route_spec import NumberedRoute
from afterwork.store.journal.tables import MAX_TOUCH_COLUMNS
from afterwork.store.journal.values import quoted

ONCE = "ON CONFLICT DO NOTHING"
"""Notes each touch once, whatever the conflict clause of the writer's statement, which would override OR IGNORE."""

MAX_SELECTS = 100
"""The maximum number of queries of a statement. SQLite takes 500 by default."""


@dataclass(frozen=True)
class TouchStatements:
    """Writes touches of the rows of one table into `afterwork_touch`, each once until it is taken.

    `differ` returns the condition that one of some columns differs between OLD and NEW.
    """

    routes: Sequence[NumberedRoute]
    differ: Callable[[Sequence[str]], str]

    def of_row(self, prefix: str) -> Iterator[str]:
        """Yield the statements for a row that has come or gone."""
        yield from _noting(_Touch(route, prefix) for route in self._plain)

    def of_update(self, key: Collection[str]) -> Iterator[str]:
        """Yield the statements for a row that has changed and kept its key."""
        # What is overwritten is put right first. The trigger won't fire for that, and readers must find it done.
        for is_plain in (False, True):
            routes = (route for route in self._of(is_plain) if not set(route.spec.counting).issubset(key))
            yield from _noting(touch for route in routes for touch in self._of_change(route))

    def _of_change(self, route: NumberedRoute) -> Iterator["_Touch"]:
        differs = f" WHERE ({self.differ(route.spec.counting)})"
        if route.spec.role == "overwritten":
            own = f"SELECT 1 FROM afterwork_refreshing WHERE route = {route.number}"
            yield _Touch(route, "NEW", f"{differs} AND NOT EXISTS ({own})")
        else:
            yield _Touch(route, "OLD", differs)
            # A way that has not changed is noted once.
            yield _Touch(route, "NEW", f"{differs} AND ({self.differ(route.spec.columns)})")

    def of_replaced(self, place: str, source: str) -> Iterator[str]:
        """Yield the statements that note what rows may touch, those of a source that calls them t. `place` has their
        identities, as `afterwork_replaced` begins."""
        for route in self._plain:
            values = ", ".join(f"t.{quoted(name)}" for name in route.spec.columns)
            yield (
                f"INSERT INTO afterwork_replaced (table_id, row, key, key_text, route, {_names(route)})"
                f" SELECT {place}, {route.number}, {values} {source}"
            )

    def of_gone(self, where: str) -> Iterator[str]:
        """Yield the statement that touches what those of these rows touch that meet a condition."""
        if self._plain:
            names = ", ".join(f"v{place}" for place in range(1, MAX_TOUCH_COLUMNS + 1))
            yield (
                f"INSERT INTO afterwork_touch (route, {names}) SELECT r.route, {names} FROM afterwork_replaced AS r"
                f" WHERE {where} AND r.route IS NOT NULL {ONCE}"
            )

    @property
    def counting(self) -> list[str]:
        """Return the columns whose change touches anything."""
        return sorted({name for route in self.routes for name in route.spec.counting})

    @property
    def at_commit(self) -> list[str]:
        """The columns of the table that are written at commit."""
        overwritten = [route.spec for route in self.routes if route.spec.role == "overwritten"]
        return sorted({name for spec in overwritten if spec.at_commit for name in spec.counting})

    @property
    def _plain(self) -> list[NumberedRoute]:
        return self._of(True)

    def _of(self, is_plain: bool) -> list[NumberedRoute]:
        return [route for route in self.routes if (route.spec.role != "overwritten") == is_plain]


@dataclass(frozen=True)
class _Touch:
    """A touch with the values of OLD or NEW, which is noted if a condition holds."""

    route: NumberedRoute
    prefix: str
    where: str = ""

    def select(self, width: int) -> str:
        """Return the query for its values, of which there are as many as in other touches beside it."""
        columns = self.route.spec.columns
        values = [f"{self.prefix}.{quoted(name)}" for name in columns] + ["0"] * (width - len(columns))
        return f"SELECT {self.route.number}, {', '.join(values)}{self.where}"


def _noting(touches: Iterable[_Touch]) -> Iterator[str]:
    """Yield the statements that note touches: a few for all, since each takes its time for each row."""
    remaining = list(touches)
    while remaining:
        part, remaining = remaining[:MAX_SELECTS], remaining[MAX_SELECTS:]
        width = max(len(touch.route.spec.columns) for touch in part)
        names = ", ".join(f"v{place}" for place in range(1, width + 1))
        # A single query needs a WHERE, since SQLite would otherwise take ON for that of a join.
        queries = " UNION ALL ".join(touch.select(width) for touch in part)
        where = "" if part[-1].where else " WHERE true"
        yield f"INSERT INTO afterwork_touch (route, {names}) {queries}{where} {ONCE}"


def _names(route: NumberedRoute) -> str:
    return ", ".join(f"v{place}" for place in range(1, len(route.spec.columns) + 1))

"""The statements by which the triggers on SQLite note what a change touches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from afterwork.store.journal.route_spec import NumberedRoute
from afterwork.store.journal.tables import MAX_TOUCH_COLUMNS
from afterwork.store.journal.values import quoted


@dataclass(frozen=True)
class TouchStatements:
    """Writes touches of the rows of one table into `afterwork_touch`, each once until it is taken.

    `differ` returns the condition that one of some columns differs between OLD and NEW.
    """

    routes: Sequence[NumberedRoute]
    differ: Callable[[Sequence[str]], str]

    def of_row(self, prefix: str) -> Iterator[str]:
        """Yield the statements for a row that has come or gone."""
        for route in self._plain:
            yield self._insert(route, prefix, "")

    def of_update(self) -> Iterator[str]:
        """Yield the statements for a row that has changed and kept its key."""
        # What is overwritten is put right first. The trigger won't fire for that, and readers must find it done.
        for route in sorted(self.routes, key=lambda route: route.spec.role != "overwritten"):
            differs = self.differ(route.spec.counting)
            if route.spec.role == "overwritten":
                yield self._insert(route, "NEW", f"({differs}) AND ")
            else:
                yield self._insert(route, "OLD", f"({differs}) AND ")
                # A way that has not changed is noted once.
                yield self._insert(route, "NEW", f"({differs}) AND ({self.differ(route.spec.columns)}) AND ")

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
                f" WHERE {where} AND r.route IS NOT NULL"
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
        return [route for route in self.routes if route.spec.role != "overwritten"]

    def _insert(self, route: NumberedRoute, prefix: str, condition: str) -> str:
        values = [f"{prefix}.{quoted(name)}" for name in route.spec.columns]
        # With a plus, a value is compared as it is; a null is simply noted again. No OR IGNORE: a writer's own conflict
        # clause would override it.
        same = " AND ".join(f"v{place} = +{value}" for place, value in enumerate(values, 1))
        return (
            f"INSERT INTO afterwork_touch (route, {_names(route)}) SELECT {route.number}, {', '.join(values)}"
            f" WHERE {condition}NOT EXISTS (SELECT 1 FROM afterwork_touch WHERE route = {route.number} AND {same})"
        )


def _names(route: NumberedRoute) -> str:
    return ", ".join(f"v{place}" for place in range(1, len(route.spec.columns) + 1))

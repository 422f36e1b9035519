"""Plans: what to refresh in one database, with the routes as its triggers know them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Dialect

from afterwork.derived.inversion.from_scratch import from_scratch
from afterwork.derived.inversion.inversion import Inversion, Inverter
from afterwork.model.derivation import Derivation
from afterwork.store.dialects import touch_values_of
from afterwork.store.journal.refresh import RefreshPlan, Way
from afterwork.store.journal.route_spec import RouteSpec, routes_by_table
from afterwork.store.journal.touch_values import ComparedColumn
from afterwork.store.journal.tracked_table import TrackedTables

NOT_INSTALLED = "its routes are not installed yet: install again"


@dataclass(frozen=True)
class CaptureNeeds:
    """The routes that a model's derivations need, and whether any of them has manifests, which need the journal."""

    routes: Sequence[RouteSpec]
    is_journaled: bool


def capture_needs(connection: Connection, derivations: Collection[Derivation], tables: TrackedTables) -> CaptureNeeds:
    """Return what a model's derivations need of the triggers in a database."""
    results = Inverter(tables, connection.dialect, _missing_columns).invert(derivations).values()
    inversions = [result for result in results if isinstance(result, Inversion)]
    specs = dict.fromkeys(spec for inversion in inversions for spec in inversion.specs)
    return CaptureNeeds(list(specs), is_journaled=len(inversions) < len(derivations))


def _missing_columns(inversion: Inversion) -> str | None:
    """Return which columns an expression needs that the database doesn't have yet; None if it has all of them."""
    needed = {(route.table, name) for route in inversion.routes for name in route.counting}
    needed.add((inversion.table, inversion.declared.column.name))
    missing = sorted(f"{table.table.fullname}.{name}" for table, name in needed if name not in table.forms)
    return f"the database has no {', '.join(missing)}" if missing else None


def refresh_plans(
    connection: Connection, derivations: Iterable[Derivation], tables: TrackedTables
) -> Mapping[str, RefreshPlan | str]:
    """Return the plan of each derived member with a SQL side, by name, or the reason why it has none. Plans of members
    that others read come first."""
    installed = {route.spec: route.number for routes in routes_by_table(connection).values() for route in routes}

    def missing(inversion: Inversion) -> str | None:
        return None if installed.keys() >= set(inversion.specs) else NOT_INSTALLED

    dialect = connection.dialect
    inversions = Inverter(tables, dialect, missing).invert(derivations)
    return {
        name: result if isinstance(result, str) else _Planner(inversions, installed, dialect).plan(result, place)
        for place, (name, result) in enumerate(_feeders_first(inversions))
    }


def _feeders_first(inversions: Mapping[str, Inversion | str]) -> Iterator[tuple[str, Inversion | str]]:
    waiting = dict(inversions)
    while waiting:
        for name, inversion in list(waiting.items()):
            if isinstance(inversion, str) or not any(map(inversion.is_fed_by, _others(waiting, name))):
                yield name, waiting.pop(name)


def _others(inversions: Mapping[str, Inversion | str], name: str) -> list[Inversion]:
    return [other for other in inversions.values() if isinstance(other, Inversion) and other.name != name]


@dataclass(frozen=True)
class _Planner:
    inversions: Mapping[str, Inversion | str]
    installed: Mapping[RouteSpec, int]
    dialect: Dialect

    def plan(self, inversion: Inversion, place: int) -> RefreshPlan:
        *back, overwritten = (self.installed[spec] for spec in inversion.specs)
        ways = [
            Way(number, spec, route.roots, len(route.table_refs) > 1)
            for number, spec, route in zip(back, inversion.specs, inversion.routes, strict=False)
        ]
        touch_values = touch_values_of(self.dialect)
        own = next(way for way, route in zip(ways, inversion.routes, strict=True) if route.is_own)
        return RefreshPlan(
            inversion.name,
            inversion.table.table,
            inversion.declared.column,
            inversion.expression,
            from_scratch(inversion, _others(self.inversions, inversion.name)),
            (*ways, Way(overwritten, inversion.specs[-1], own.roots)),
            own.route,
            overwritten,
            tuple(touch_values.type_of(ComparedColumn(inversion.table, column.name)) for column in inversion.table.key),
            place,
            inversion.declared.derived.keeps_last_change,
        )

"""Deferred triggers on PostgreSQL that refresh derived members when a transaction commits.

They are on `afterwork_committing`, to which the capture adds a row for each transaction. Triggers fire in the order of
their names, so these have the places of their plans, and the last one clears up.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from sqlalchemy import Row, text

from afterwork.store.journal.commit_triggers import CommitTriggers
from afterwork.store.journal.refresh import RefreshPlan
from afterwork.store.journal.tables import touch
from afterwork.store.journal.values import quoted
from afterwork.store.literal_sql import dollar_quoted, execute_literally
from afterwork.store.postgresql.commit_text import CommitFunction, first_body
from afterwork.store.postgresql.wake_trigger import wake_statement

FIRST, LAST = "afterwork_commit_0", "afterwork_commit_z"
"""The names of the triggers that fire before and after those of all plans."""

SEES_ALL = "SET row_security = off"
"""The setting by which hidden rows make the function fail, which leaves the value to servers.

Otherwise it would compute without them.
"""

DOES_NOTHING = dollar_quoted("BEGIN RETURN NULL; END")

_SCHEMA = text(
    "SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = to_regclass('afterwork_committing')"
)

_PATH = text("SELECT string_agg(quote_ident(name), ', ') FROM unnest(current_schemas(false)) AS name")

_PRESENT = text("""
SELECT g.tgname AS trigger, p.proname AS function, p.prosrc AS body,
       g.tgenabled = 'A' AND 'row_security=off' = ANY (p.proconfig) AS is_ready,
       (SELECT setting FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%') AS path
FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid
WHERE g.tgrelid = to_regclass('afterwork_committing') AND NOT g.tgisinternal
""")

_IS_COMMITTING = text("SELECT 1 FROM afterwork_committing WHERE tx = pg_current_xact_id_if_assigned()")

_LIVE = text("SELECT DISTINCT id FROM afterwork_route WHERE at_commit")


class PostgreSQLCommitTriggers(CommitTriggers):
    """The deferred triggers of a PostgreSQL database."""

    def install(self, plans: Sequence[RefreshPlan]) -> Iterator[str]:
        if self._unwanted(plans) or not all(map(self.are_installed, plans)):
            self._give_way()
        for plan in plans:
            if not self.are_installed(plan):
                self._create(_trigger(plan), _function(plan), self._body(plan))
                yield f"triggers created that refresh {plan.name} at commit"
        for trigger in self._unwanted(plans):
            self._run(f"DROP TRIGGER {trigger} ON {self._table}")
            yield f"trigger {trigger} dropped"
        for name, body in self._around.items():
            if self._live and not self._is_present(name, body):
                self._create(name, name, body)

    def _unwanted(self, plans: Sequence[RefreshPlan]) -> list[str]:
        """Return the triggers of routes that are gone, or that have another place among these plans."""
        wanted = {_function(plan): _trigger(plan) for plan in plans}
        return [
            row.trigger
            for row in self._present.values()
            if row.function not in (FIRST, LAST)
            and (row.function not in self._live or wanted.get(row.function, row.trigger) != row.trigger)
        ]

    @cached_property
    def _live(self) -> set[str]:
        return {f"afterwork_commit_{number}" for number in self.connection.execute(_LIVE).scalars()}

    def are_installed(self, plan: RefreshPlan) -> bool:
        wanted = {**self._around, _trigger(plan): self._body(plan)}
        return all(self._is_present(name, body) for name, body in wanted.items())

    def _is_present(self, trigger: str, body: str) -> bool:
        row = self._present.get(trigger)
        return row is not None and row.is_ready and row.body == body

    @property
    def _around(self) -> Mapping[str, str]:
        """The triggers of no plan, with the bodies of their functions."""
        return {FIRST: first_body(), LAST: self._last_body}

    def _give_way(self) -> None:
        """Give servers what the open transaction has touched so far: triggers that are about to fire can't be changed.

        They fire now, but compute nothing, since what their functions name may be gone.
        """
        if self.connection.execute(_IS_COMMITTING).first() is None:
            return
        for row in self._present.values():
            if row.function not in (FIRST, LAST):
                name = f"{self._schema}.{row.function}"
                self._run(f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS {DOES_NOTHING}")
        names = ", ".join(f"{self._schema}.{name}" for name in self._present)
        self._run(f"SET CONSTRAINTS {names} IMMEDIATE")
        self._run(f"SET CONSTRAINTS {names} DEFERRED")

    def adopt(self) -> None:
        columns = ", ".join(column.name for column in touch.columns)
        self._run(
            f"WITH gone AS (DELETE FROM {self._table} RETURNING tx), taken AS (DELETE FROM"
            f" {self._schema}.afterwork_commit_touch AS t USING gone WHERE t.tx = gone.tx RETURNING {columns})"
            f" INSERT INTO {self._schema}.afterwork_touch ({columns}) SELECT {columns} FROM taken"
        )

    def _create(self, trigger: str, function: str, body: str) -> None:
        name = f"{self._schema}.{function}"
        path = self.connection.execute(_PATH).scalar() or "pg_catalog"
        self._run(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
            f" SECURITY DEFINER SET search_path = {path}, pg_temp {SEES_ALL} SET jit = off AS {dollar_quoted(body)}"
        )
        self._run(f"REVOKE ALL ON FUNCTION {name}() FROM PUBLIC")
        self._run(f"DROP TRIGGER IF EXISTS {trigger} ON {self._table}")
        self._run(
            f"CREATE CONSTRAINT TRIGGER {trigger} AFTER INSERT ON {self._table}"
            f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {name}()"
        )
        self._run(f"ALTER TABLE {self._table} ENABLE ALWAYS TRIGGER {trigger}")

    def _body(self, plan: RefreshPlan) -> str:
        return CommitFunction(plan, self._schema, self._wake).body()

    @property
    def _last_body(self) -> str:
        """The body of the function that gives servers the touches that nothing has followed, and forgets the
        transaction."""
        touches = f"{self._schema}.afterwork_commit_touch WHERE tx = pg_current_xact_id()"
        columns = ", ".join(column.name for column in touch.columns)
        return f"""
BEGIN
    IF EXISTS (SELECT FROM {touches}) THEN
        INSERT INTO {self._schema}.afterwork_touch ({columns}) SELECT DISTINCT {columns} FROM {touches};
        DELETE FROM {touches};{self._wake}    END IF;
    DELETE FROM {self._table} WHERE tx = pg_current_xact_id();
    RETURN NULL;
END """

    @property
    def _table(self) -> str:
        return f"{self._schema}.afterwork_committing"

    @cached_property
    def _schema(self) -> str:
        return quoted(self.connection.execute(_SCHEMA).scalar_one())

    @cached_property
    def _wake(self) -> str:
        return wake_statement(self.connection)

    @cached_property
    def _present(self) -> Mapping[str, Row[tuple[str, str, str, bool, str]]]:
        return {row.trigger: row for row in self.connection.execute(_PRESENT)}

    def _run(self, statement: str) -> None:
        execute_literally(self.connection, statement)
        vars(self).pop("_present", None)


def _function(plan: RefreshPlan) -> str:
    return f"afterwork_commit_{plan.own}"


def _trigger(plan: RefreshPlan) -> str:
    return f"afterwork_commit_{plan.place:05}_{plan.own}"

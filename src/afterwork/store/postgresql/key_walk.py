"""Walk through a PostgreSQL table by its comparison of keys, or by their texts if a type has none."""

from collections.abc import Sequence

from sqlalchemy import text

from afterwork.store.journal.key_walk import KeyWalk
from afterwork.store.journal.text_forms import OTHER

PARAMETER = "\0"

FIRST_OF_EXTENSIONS = 16384
"""The lowest number of a type that does not come with PostgreSQL, whose own key types are all ordered."""

_WITHOUT_ORDER = text(
    "SELECT oid::bigint FROM pg_type WHERE oid::bigint = ANY(:numbers) AND typtype = 'b' AND typcategory <> 'A' AND NOT"
    " EXISTS (SELECT FROM pg_operator WHERE oprname = '>' AND oprleft = pg_type.oid AND oprright = pg_type.oid)"
)


class PostgreSQLKeyWalk(KeyWalk):
    """A walk through the rows of a PostgreSQL table."""

    def rows(self, last: Sequence[str], limit: int) -> Sequence[Sequence[str]]:
        unordered = self._unordered()
        keys = [f'{column}::text COLLATE "C"' if n in unordered else column for n, column in enumerate(self.columns)]
        order = ", ".join(keys)
        selected = ", ".join([self.key, *(f"{column}::text" for column in self.columns)])
        # Parameters without types are read as the types of the columns.
        beyond = f" WHERE ({order}) > ({', '.join(PARAMETER for _ in last)})" if last else ""
        statement = f"SELECT {selected} FROM {self.table} AS walked{beyond} ORDER BY {order} LIMIT {limit}"
        statement = statement.replace("%", "%%").replace(PARAMETER, "%s")
        return self.connection.exec_driver_sql(statement, tuple(last)).all()

    def _unordered(self) -> set[int]:
        """Return the indexes of the key's columns whose types have no comparison: they are ordered by their texts."""
        numbers = {
            n: int(form.name.removeprefix(OTHER)) for n, form in enumerate(self.forms) if form.name.startswith(OTHER)
        }
        if not any(number >= FIRST_OF_EXTENSIONS for number in numbers.values()):
            return set()
        unordered = set(self.connection.execute(_WITHOUT_ORDER, {"numbers": list(numbers.values())}).scalars())
        return {n for n, number in numbers.items() if number in unordered}

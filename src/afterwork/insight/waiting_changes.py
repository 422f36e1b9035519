"""Changes that wait in the journal: counted for each derivation that may have read what they changed.

Which caches they affect is known only when a server matches them. Until then, some of those that count as fresh may be
stale.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, func, select

from afterwork.store.bounded_count import BOUND, Count
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import read_pattern as read_patterns
from afterwork.store.caches.tables import use as uses
from afterwork.store.journal.tables import journal


def waiting_changes(connection: Connection) -> Mapping[int, Count]:
    """Return the numbers of changes that wait, by derivation. It looks at no more than `BOUND` + 1 changes."""
    first = select(journal.c.table_id).limit(BOUND + 1).subquery()
    rows = connection.execute(select(first.c.table_id, func.count()).group_by(first.c.table_id)).all()
    by_table = {row.table_id: int(row[1]) for row in rows}
    if not by_table:
        return {}
    is_bound = sum(by_table.values()) > BOUND
    counts: Counter[int] = Counter()
    for derivation, table_ids in _tables_read(connection).items():
        counts[derivation] = sum(by_table.get(table_id, 0) for table_id in table_ids)
    return {derivation: Count(min(number, BOUND), is_bound) for derivation, number in counts.items() if number}


def _tables_read(connection: Connection) -> Mapping[int, set[int]]:
    """Return the tracked tables that the runs of each derivation ever read, and those of its objects."""
    reads = select(uses.c.derivation, read_patterns.c.table_id).join(
        read_patterns, read_patterns.c.id == uses.c.read_pattern
    )
    roots = select(derivations.c.id, derivations.c.root_table_id)
    tables: dict[int, set[int]] = defaultdict(set)
    for derivation, table_id in (*connection.execute(reads.distinct()), *connection.execute(roots)):
        tables[derivation].add(table_id)
    return tables

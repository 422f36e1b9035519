"""Two servers give a pattern its number at the same time."""

import threading

import pytest
from sqlalchemy import Engine

from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.manifest.reads import Reads, RowRead
from afterwork.store.journal import capture
from tests.conftest import Trade
from tests.support import trade
from tests.support.waiting import eventually

BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_pattern_has_one_number_though_two_runs_read_it_first_at_the_same_time(the_trade: Trade) -> None:
    """The second one waits for the first, whose transaction is open, and no transaction fails."""
    engine = the_trade.engine
    with engine.connect() as connection:
        tracked_tables = capture.load(connection, trade.Base.metadata.sorted_tables)
    reads = Reads()
    reads.add_row(next(iter(tracked_tables)).id, 1, columns=0b101)
    found: list[set[int]] = []

    with engine.connect() as first:
        numbers = ReadPatterns(tracked_tables, engine.dialect).read_keys_in_transaction(first, reads)
        second = threading.Thread(
            target=lambda: found.append(number(engine, ReadPatterns(tracked_tables, engine.dialect), reads))
        )
        second.start()
        eventually(lambda: the_trade.value(BLOCKED))
        first.commit()
        second.join()

    assert found == [numbers]


def number(engine: Engine, patterns: ReadPatterns, reads: Reads) -> set[int]:
    """Give the patterns of these reads their numbers in a transaction."""
    with engine.begin() as connection:
        return patterns.read_keys_in_transaction(connection, reads)


def test_a_pattern_that_another_server_has_just_numbered_is_found(the_trade: Trade) -> None:
    """Who asks about a cache looked up the patterns before that one ran."""
    engine = the_trade.engine
    with engine.connect() as connection:
        tracked_tables = capture.load(connection, trade.Base.metadata.sorted_tables)
        asking = ReadPatterns(tracked_tables, engine.dialect)
        asking.load(connection)
    reads = Reads()
    reads.add_row(next(iter(tracked_tables)).id, 1, columns=0b101)

    (key,) = number(engine, ReadPatterns(tracked_tables, engine.dialect), reads)

    with engine.connect() as connection:
        assert asking.of_read_key(connection, key) == RowRead(next(iter(tracked_tables)).id, 0b101)

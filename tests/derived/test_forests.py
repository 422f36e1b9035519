"""Values of rows that are made of each other are made once each, in any order of their keys; circles still end."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select

import afterwork as aw
from afterwork.derived.queue.due_cache import blocked_due
from afterwork.store.caches.tables import cache, due
from tests.derived.forests import CHAIN, ORDERS, TREE, WAYS, Forest, above, forest, planted
from tests.derived.stale_scene import Scene
from tests.support.world import statements

COUNT = CHAIN + TREE

CAUSE = '{"kind": "new"}'

IN_ANY_ORDER = pytest.mark.parametrize(
    ("url", "order"), [*(("sqlite", order) for order in ORDERS), ("postgresql", "at random")], indirect=["url"]
)
"""What runs first is decided here and not by a database, so one of them tries every order."""

FEW = 4
"""So many more runs than values there may be, where a batch ends at an unlucky moment."""


def is_about_once(found: Counter[str], forest: Forest, least: int = COUNT, most: int = COUNT) -> bool:
    """Whether each value was made about once, of as many nodes."""
    return not forest.wrong() and all(count <= most + FEW for count in found.values()) and found["total"] >= least


@IN_ANY_ORDER
@pytest.mark.parametrize("way", WAYS)
def test_each_value_is_made_about_once(engine: Engine, way: str, order: str) -> None:
    rows = forest(order)
    nodes = planted(engine, way, rows)
    leaves = {key for key, _ in rows} - {up for _, up in rows}

    assert is_about_once(found := nodes.runs(), nodes), found
    assert len(nodes.calls) <= 2 * COUNT
    nodes.sql(f"UPDATE node SET size = size + 1 WHERE id IN ({', '.join(map(str, leaves))})")
    assert is_about_once(found := nodes.runs(), nodes), found
    assert len(nodes.calls) == found["total"]
    nodes.sql("UPDATE node SET size = size + 1")
    assert is_about_once(found := nodes.runs(), nodes), found
    assert len(nodes.calls) == found["total"]
    one = rows[-1][0]
    nodes.sql(f"UPDATE node SET size = size + 1 WHERE id = {one}")
    way_up = len(list(above(rows, one)))
    assert nodes.runs()["total"] == way_up
    assert not nodes.wrong()


@IN_ANY_ORDER
@pytest.mark.parametrize("way", WAYS)
def test_so_are_those_of_new_nodes_and_of_nodes_that_have_moved(engine: Engine, way: str, order: str) -> None:
    nodes = planted(engine, way)
    nodes.run()
    rows = forest(order)

    nodes.insert(rows)

    assert is_about_once(found := nodes.runs(), nodes), found
    root, leaf = rows[0][0], rows[-1][0]  # the chain comes to hang below the tree, far down
    nodes.sql(f"UPDATE node SET up_id = {leaf} WHERE id = {root}")
    nodes.run()
    assert not nodes.wrong()
    nodes.sql("UPDATE node SET size = size + 1")
    assert is_about_once(found := nodes.runs(), nodes), found
    nodes.sql(f"DELETE FROM node WHERE id = {rows[CHAIN - 1][0]}")
    nodes.run()
    assert not nodes.wrong()


@pytest.mark.parametrize("way", WAYS)
def test_they_are_so_when_all_is_made_again(engine: Engine, way: str) -> None:
    nodes = planted(engine, way, forest("from above"))
    nodes.run()

    nodes.app.repair(engine)

    assert is_about_once(found := nodes.runs(), nodes), found


@pytest.mark.parametrize("way", ["objects", "a select", "two values"])
def test_a_circle_in_the_data_still_ends_and_what_does_not_hang_on_it_is_right(engine: Engine, way: str) -> None:
    rows = forest("from above")
    nodes = planted(engine, way, rows)
    first, last = rows[0][0], rows[CHAIN - 1][0]
    nodes.sql("DELETE FROM afterwork_journal")
    nodes.sql(f"UPDATE node SET up_id = {last} WHERE id = {first}")
    nodes.sql("DELETE FROM afterwork_journal")

    ended = nodes.run()

    assert any(isinstance(one.outcome, aw.Raised) and "depends on itself" in one.outcome.error for one in ended)
    assert len(ended) < 20 * COUNT  # how many it takes depends on how large the batches are
    assert nodes.run() == []
    nodes.sql(f"UPDATE node SET up_id = NULL WHERE id = {first}")
    nodes.run()
    assert not nodes.wrong()
    nodes.sql("UPDATE node SET size = size + 1")
    nodes.run()
    assert not nodes.wrong()


def test_two_circles_that_others_hang_on_end_too(engine: Engine) -> None:
    nodes = planted(engine, "objects", [(1, 2), (2, 1), (3, 4), (4, 3), (5, None), (6, 5)])

    ended = nodes.run()

    failed = {one.run.root_id for one in ended if isinstance(one.outcome, aw.Raised)}
    assert failed & {"Node!1", "Node!2"}
    assert failed & {"Node!3", "Node!4"}
    assert {5, 6}.isdisjoint(nodes.wrong())
    assert nodes.run() == []


def test_what_is_held_is_stale_and_has_no_moment(engine: Engine) -> None:
    nodes = planted(engine, "objects", [(1, None), (2, 1)])
    nodes.run()
    nodes.sql("UPDATE node SET size = 5 WHERE id = 1")
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM afterwork_journal")
        (number,) = connection.execute(select(cache.c.id).where(cache.c.root == "Node!1")).scalars()
        now = datetime.now(UTC)
        values = {"due": blocked_due(3), "since": now, "cause": CAUSE}
        connection.execute(due.insert().values(cache=number, derivation=1, **values))

    found = nodes.app.insight(engine).explain("Node!1", "total")

    assert (found.state, found.due) == ("stale", None)
    assert [one.root_id for one in nodes.app.insight(engine).caches_of("Node.total", "stale").items] == ["Node!1"]
    assert nodes.runs() == {"total": 1}  # nothing else is to be done
    assert not nodes.wrong()


def test_caches_in_no_circle_ask_for_nothing_of_it(shelves: Scene) -> None:
    with statements(shelves.engine) as sent:
        shelves.run()
        shelves.sql("UPDATE shelf SET size = size + 1")
        shelves.run()
        shelves.sql("UPDATE shelf SET size = 7 WHERE id = 1")
        shelves.run()

    assert any("afterwork_due" in one for one in sent)
    assert not [one for one in sent if "afterwork_wait" in one or "afterwork_cache.level" in one]
    assert not [one for one in sent if one.startswith("SELECT d.id") and "due >=" in one]

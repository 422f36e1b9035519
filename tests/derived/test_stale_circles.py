"""Values that are made of each other in a circle: they fail and say so; a tree that is turned over is none."""

from datetime import timedelta

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import afterwork as aw
from tests.derived.interleaved import Interleaved, sql
from tests.support import trade
from tests.support.prepared import installed


def test_a_tree_that_is_turned_over_while_it_is_calculated_is_no_circle(engine: Engine) -> None:
    between = Interleaved()
    app = installed(engine, trade.Base, clock=aw.ManualClock(), on_event=between)
    with Session(engine) as session, session.begin():
        session.add(trade.Node(id=1, own=1, children=[trade.Node(id=2, own=1)]))
    app.run_until_idle(engine)

    def turn() -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE node SET parent_id = NULL WHERE id = 2"))
            connection.execute(text("UPDATE node SET parent_id = 2 WHERE id = 1"))

    between.todo["after commit", "Node.total"] = turn
    with engine.begin() as connection:
        connection.execute(text("UPDATE node SET own = 5 WHERE id = 2"))
    ran = app.run_until_idle(engine)
    assert not between.todo
    assert [e.outcome for e in ran if "Succeeded" not in type(e.outcome).__name__] == []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, total FROM node ORDER BY id")).all() == [(1, 1), (2, 6)]


def test_a_circle_fails_again_as_long_as_it_is_there_and_seldom(engine: Engine) -> None:
    clock = aw.ManualClock()
    app = installed(engine, trade.Base, clock=clock)
    with Session(engine) as session, session.begin():
        session.add(trade.Node(id=1, own=1, children=[trade.Node(id=2, own=1)]))
    app.run_until_idle(engine)
    sql(engine, "UPDATE node SET parent_id = 2 WHERE id = 1")
    assert len(app.run_until_idle(engine)) < 12
    clock.advance(timedelta(seconds=11))
    (ended,) = app.run_until_idle(engine)
    assert "CircularCaches" in str(ended.outcome)
    # Broken without anything that it read being another: the way round is no more.
    sql(engine, "UPDATE afterwork_cache SET cause_cache = NULL")
    clock.advance(timedelta(seconds=21))
    assert "CircularCaches" not in str(app.run_until_idle(engine)[0].outcome)


def test_a_circle_that_leads_through_a_cache_of_another_model_is_told_as_well(engine: Engine) -> None:
    clock = aw.ManualClock()
    app = installed(engine, trade.Base, clock=clock)
    with Session(engine) as session, session.begin():
        session.add(trade.Node(id=1, own=1, children=[trade.Node(id=2, own=1)]))
    app.run_until_idle(engine)
    sql(engine, "UPDATE node SET parent_id = 2 WHERE id = 1")
    app.run_until_idle(engine)
    new = "INSERT INTO afterwork_derivation (name, backfilled, backfill_done) VALUES ('Other.total', true, 0)"
    other = "(SELECT max(id) FROM afterwork_derivation)"
    failed = "(SELECT id FROM afterwork_cache WHERE error IS NOT NULL)"
    sql(engine, new)
    sql(engine, f"UPDATE afterwork_cache SET derivation = {other} WHERE root LIKE 'Node!%' AND id NOT IN {failed}")
    clock.advance(timedelta(seconds=11))
    (ended,) = app.run_until_idle(engine)
    assert "CircularCaches" in str(ended.outcome)
    assert "?" in str(ended.outcome)

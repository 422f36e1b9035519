"""Matches of timers and tickets share transactions like tickets of many lanes do."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

import afterwork as aw
from afterwork.jobs import in_transaction
from afterwork.server import shared_transactions
from afterwork.sources.timer.rounds import Rounds
from afterwork.store.dialects import database_of
from tests.support.office import Office, an_office
from tests.support.waiting import eventually

LANES = 40


def test_matches_and_tickets_of_many_lanes_run_once_each(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (in_transaction, "BATCH_SECONDS"),
        (shared_transactions, "QUICK_SECONDS"),
        (shared_transactions, "SLOW_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 3600.0)
    monkeypatch.setattr(shared_transactions, "QUICK_RUNS_NEEDED", 1)
    monkeypatch.setattr(
        shared_transactions.SharedTransactions, "_may_share", lambda self, claim: True
    )  # from the first run on
    shared = set[tuple[str, ...]]()
    monkeypatch.setattr(shared_transactions, "run_mixed", _noting(shared))
    office = an_office(engine)
    for lane in range(LANES):
        criteria: Any = select(office.task).where(office.task.id == lane + 1)
        office.timer(f"Work{lane}", when=aw.Every(minutes=10, criteria=criteria, lane=f"lane {lane:02}"))
    office.open(tasks=LANES)
    office.run()  # the first round
    office.clock.advance(timedelta(minutes=10))
    _fire(office)
    for lane in range(LANES):
        office.sql(
            "INSERT INTO sys_async_ticket (view_model, root_id, lane, keep_receipt_minutes, attempts)"
            f" VALUES ('Work{lane}', 'Task!{lane + 1}', 'ticket {lane:02}', 0, 0)"
        )

    with office.app.serving(office.engine):
        eventually(lambda: office.sql("SELECT sum(done) FROM task") == 3 * LANES, within=60)

    assert ("ticket", "timer") in shared
    assert {office.sql(f"SELECT done FROM task WHERE id = {lane + 1}") for lane in range(LANES)} == {3}


def _fire(office: Office) -> None:
    """Find what the timers match, and run none of it."""
    database = database_of(office.engine, office.app.settings)
    with database.connect() as connection:
        rounds = office.app.runner(database, connection).source(Rounds)
        assert rounds is not None
        assert len(list(rounds.fire(connection))) == LANES


def _noting(shared: set[tuple[str, ...]]) -> Any:
    """Run as always, and note what has shared transactions."""
    run = in_transaction.run_mixed

    def noting(*given: Any) -> Any:
        mixed = run(*given)
        shared.add(tuple(sorted({claim.run.source for claim, _ in getattr(mixed.batched, "settled", ())})))
        return mixed

    return noting

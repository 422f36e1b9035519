"""Whatever is written, in any order: values that are computed at commit are right when it ends, without any server."""

import pytest
from hypothesis.stateful import invariant, run_state_machine_as_test
from sqlalchemy import Engine

from afterwork.model.derivation import MemberDerivation
from tests.inversion.market import app
from tests.properties.conftest import examples
from tests.properties.market_writes import Market, Writes


@pytest.fixture
def market(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Market:
    for derivation in app.model.derivations.values():
        if isinstance(derivation, MemberDerivation):
            monkeypatch.setattr(derivation.derived, "is_at_commit", True)
    return Market(engine)


class WritesAtCommit(Writes):
    @invariant()
    def all_values_are_right(self) -> None:
        with self.market.engine.connect() as connection:
            for plan in self.market.plans:
                assert self.market.wrong(connection, plan) == set(), plan.name
            assert not self.market.is_touched(connection)


def test_all_values_are_right_after_each_commit(market: Market) -> None:
    run_state_machine_as_test(
        type("Machine", (WritesAtCommit,), {"market": market}),
        settings=examples(one_in=10),
    )

"""Engines that share a pool."""

import pytest
from sqlalchemy import Engine, create_engine, event

from afterwork.compat.sqlalchemy_engines import base_engine


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_engine_that_owns_a_pool_notices_whichever_is_disposed_of(which: int) -> None:
    engines = [create_engine("sqlite://")]
    for number in range(2):
        engines.append(engines[-1].execution_options(number=number))
    assert [base_engine(engine) for engine in engines] == [engines[0]] * 3
    pool, noticed = engines[0].pool, list[Engine]()
    event.listen(engines[0], "engine_disposed", noticed.append)

    engines[which].dispose()

    assert noticed == [engines[which]]
    assert engines[0].pool is engines[2].pool is not pool

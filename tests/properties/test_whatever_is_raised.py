"""Random exceptions at random places where an application's code is called. Afterwards, all other work is done."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from tests.properties.conftest import examples
from tests.support.hooks import OF_ALL, OWN, Hooks, listening
from tests.support.postgres import Server
from tests.support.raising import GENERAL, KINDS

Fault = tuple[str | None, str | None]

HEALTHY: Fault = (None, None)

faults = st.lists(
    st.one_of(st.just(HEALTHY), st.tuples(st.sampled_from(sorted(OWN)), st.sampled_from(sorted(KINDS)))),
    min_size=1,
    max_size=4,
)
of_all = st.dictionaries(st.sampled_from(OF_ALL), st.sampled_from(sorted(KINDS)), max_size=2)


@pytest.fixture(params=["sqlite", "postgresql"])
def open_hooks(request: pytest.FixtureRequest) -> Iterator[Callable[[ExitStack], Hooks]]:
    """Opens an application on an empty database, which lasts as long as a stack."""

    def opened(stack: ExitStack) -> Hooks:
        if request.param == "sqlite":
            engine = create_engine("sqlite://")
        else:
            server: Server = request.getfixturevalue("postgres_server")
            engine = create_engine(stack.enter_context(server.fresh_database()))
        stack.callback(engine.dispose)
        stack.enter_context(listening(engine))
        return Hooks(engine)

    yield opened
    GENERAL.clear()


@settings(examples(20), max_examples=examples(20).max_examples if os.environ.get("EXAMPLES") else 3)
@given(faults=faults, of_all=of_all)
def test_whatever_is_raised_wherever_all_other_work_is_done(
    open_hooks: Callable[[ExitStack], Hooks], faults: Sequence[Fault], of_all: dict[str, str]
) -> None:
    with ExitStack() as stack:
        hooks = open_hooks(stack)
        GENERAL.update(of_all)
        hooks.ask(*faults)
        hooks.run()
        hooks.check()

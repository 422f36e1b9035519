"""Each behavioural test runs on a SQLite file and on PostgreSQL, in a fresh database."""

import gc
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Event
from afterwork.server.health import ITERATION_SECONDS
from tests.support import shop, trade
from tests.support.compilations import Compilations
from tests.support.databases import KINDS, empty_database
from tests.support.memory import be_quick_with_files
from tests.support.postgres import Server, postgres
from tests.support.prepared import COMPILED, PREPARED, Prepared, begin_with
from tests.support.processes import Forks, forks
from tests.support.waiting import eventually


def pytest_configure() -> None:
    be_quick_with_files()
    # Tests interrupt programs that they start, which would ignore it as whoever was started in the background does.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # Nothing that is imported and collected goes away, so there is nothing to look for meanwhile.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    # What was imported stays. Without it, the collector takes 8 % less of the processor.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    # Some log halves of characters, which can't be passed from a process of tests to the one that reports.
    report = yield
    report.sections = [(name, said.encode(errors="backslashreplace").decode()) for name, said in report.sections]
    return report


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    with postgres() as server:
        yield server


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """An empty database."""
    with empty_database(request, tmp_path) as database:
        yield database


@pytest.fixture(scope="session")
def prepared(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """What fills databases with what many tests begin with. Its templates go before their server does."""
    with closing(Prepared(tmp_path_factory.mktemp("prepared"), postgres_server)) as found:
        yield found


@pytest.fixture(scope="session")
def compilations() -> Compilations:
    """The statements that the engines of all tests have compiled."""
    return Compilations()


@pytest.fixture
def engine(url: URL, prepared: Prepared, compilations: Compilations) -> Iterator[Engine]:
    """An engine on an empty database."""
    made = create_engine(url, execution_options={PREPARED: prepared, COMPILED: compilations})
    prepared.note_use(made)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def the_forks() -> Iterator[Forks]:
    """Where the processes of all tests come from."""
    with forks() as the_forks:
        yield the_forks


@dataclass
class Shop:
    """An installed shop, with its server's clock in the test's hand and all events written down."""

    engine: Engine
    clock: aw.ManualClock = field(default_factory=aw.ManualClock)
    seen: list[Event] = field(default_factory=list)
    settings: aw.Settings = field(default_factory=aw.Settings)

    def __post_init__(self) -> None:
        self.app = aw.Afterwork(shop.Base, clock=self.clock, on_event=self.seen.append, settings=self.settings)

    def session(self) -> Session:
        return Session(self.engine)

    def run(self) -> list[aw.Ended]:
        """Run all that is due."""
        return self.app.run_until_idle(self.engine)

    @property
    def rests(self) -> bool:
        """True if the server is asleep and waits. The event `FellAsleep` comes before it has looked once more."""
        server = self.app._servers[0][1]
        until = server._pulse._until
        waits_long = until is not None and until - time.monotonic() > ITERATION_SECONDS + 1
        return server._loop._is_asleep and waits_long

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """A server that was told to stop, and waits for a run that goes on for as long as the block lasts."""
        with self.stopping_by(lambda shop: shop.app._servers[0][1].stop()):
            yield

    @contextmanager
    def stopping_by(self, stop: Callable[["Shop"], None]) -> Iterator[None]:
        """The same, stopped in another way."""
        begun, gate = threading.Event(), threading.Event()

        @contextmanager
        def held(run: aw.Run) -> Iterator[None]:
            begun.set()
            gate.wait()
            yield

        self.app.around = held
        with self.session() as session, session.begin():
            aw.later(shop.add_customer(session).export)
        with self.app.serving(self.engine):
            try:
                begun.wait()
                stop(self)
                eventually(self.app._servers[0][1]._stopping.is_set)
                yield
            finally:
                gate.set()


@pytest.fixture
def the_shop(engine: Engine) -> Shop:
    begin_with(engine, open_shop)
    return Shop(engine)


def open_shop(engine: Engine) -> None:
    """A shop without customers."""
    shop.create(engine)
    Shop(engine).app.install(engine)


@dataclass
class Trade:
    """Customers with calculated totals, whose server's clock is in the test's hand."""

    engine: Engine
    clock: aw.ManualClock = field(default_factory=aw.ManualClock)
    settings: aw.Settings = field(default_factory=aw.Settings)

    def __post_init__(self) -> None:
        self.app = aw.Afterwork(trade.Base, clock=self.clock, settings=self.settings)

    def session(self) -> Session:
        return Session(self.engine)

    def sql(self, statement: str, **values: object) -> None:
        """Change something as another program would."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def value(self, statement: str) -> object:
        """One value, as the database has it."""
        with self.engine.connect() as connection:
            return connection.execute(text(statement)).scalar()

    def run(self) -> list[str]:
        """Run all that is due. Returns which caches ran on what, in order: `Customer.total Customer!1`."""
        return [f"{ended.run.work} {ended.run.root_id}" for ended in self.app.run_until_idle(self.engine)]


@pytest.fixture
def the_trade(engine: Engine) -> Trade:
    begin_with(engine, begin_trade)
    return Trade(engine)


def begin_trade(engine: Engine) -> Trade:
    """A trade without customers."""
    trade.create(engine)
    begun = Trade(engine)
    begun.app.install(engine)
    return begun

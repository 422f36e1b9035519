"""`aw.Afterwork`: one model, and everything that can be done with it."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload
from weakref import ref

from sqlalchemy import Connection, Engine, MetaData
from sqlalchemy.orm import Session

from afterwork.clock import Clock, SystemClock
from afterwork.control import Control
from afterwork.derived.capture import requirements as caches
from afterwork.derived.cause import restored
from afterwork.derived.compute.assembly import matcher_of, recorder_of
from afterwork.derived.compute.verify import Verified, Verifier
from afterwork.derived.explain.explainer import Explainer
from afterwork.derived.explain.explanation import Explanation
from afterwork.derived.explain.readers import Reader
from afterwork.derived.explain.transitions import PossibleTransitions
from afterwork.errors import (
    AnotherDatabase,
    BadDeclaration,
    BadJobsFile,
    NoApplication,
    RestoredBeneath,
    shown,
)
from afterwork.events import Broken, Events, Listener, Reloaded
from afterwork.import_path import module_of_caller, place_of
from afterwork.insight import Finding, Insight
from afterwork.installation import Grants, Installation, Removal
from afterwork.interruption import interruptible
from afterwork.jobs.run import Outcome, Run, apart
from afterwork.jobs.runner import Around, Runner, nothing_around
from afterwork.model.awaiting import asking
from afterwork.model.base import registry_of
from afterwork.model.derivation import MachineDerivation
from afterwork.model.expression import evaluate
from afterwork.model.functions import check_callable
from afterwork.model.inspection import ModelInfo, inspect_model
from afterwork.model.job_function import JobFunction
from afterwork.model.jobs_file.load import JobsFile, load, load_again
from afterwork.model.lane import MAIN, Lane, lanes_by_name
from afterwork.model.member import MemberOrName, name_of_member
from afterwork.model.method import RunOptions
from afterwork.model.retry import Retry
from afterwork.model.settings_check import check_settings
from afterwork.model.ticket import LIMIT, AsyncTicket
from afterwork.model.when import Timer
from afterwork.saving.sessions import connection_of
from afterwork.saving.sessions import session as session_of
from afterwork.server.assembly import RunnerAssembly
from afterwork.server.elsewhere import elsewhere
from afterwork.server.health import Health, Prober, Sign, of_database
from afterwork.server.recovery import Arrival
from afterwork.server.server import Server, in_background
from afterwork.server.signals import Signals
from afterwork.server.until_idle import run_until_idle
from afterwork.settings import Settings
from afterwork.sources.derived.source import DerivedSource
from afterwork.store import schema
from afterwork.store.database import Database
from afterwork.store.dialects import database_behind, database_of
from afterwork.store.kept_connections import KeptConnections
from afterwork.store.routing import routing_of

P = ParamSpec("P")
T = TypeVar("T")

SERVER_STARTED = "server_started"

APPLICATIONS = "afterwork.applications"
"""The entry of a metadata's `info` that has the applications of its model, as weak references."""


@dataclass(frozen=True)
class Ended:
    """One run made by `run_until_idle`, and its outcome."""

    run: Run
    outcome: Outcome


class Afterwork:
    """The application: it serves the jobs of a declarative base, an automap base, or a `sqlalchemy.orm.registry`.

        app = aw.Afterwork(Base)

    The model is read once, at the first use. `settings` are the knobs of its servers, `clock` tells them the time, and
    `on_event` receives their events (see `afterwork.events`). `variables` are given, by name, to each view model that
    declares such a variable (`aw.variable`); `server_started`, the time at which the server began, is always one.
    `lanes` are those with rules of their own (`aw.Lane`) that no work names as its `lane=`. `address` says where
    commands find it, as `"shop:app"`, if no module has it. Raises `BadDeclaration` for arguments that make no sense.
    """

    def __init__(
        self,
        base: object,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        on_event: Listener | None = None,
        variables: Mapping[str, Any] | None = None,
        lanes: Iterable[Lane] = (),
        address: str | None = None,
    ) -> None:
        registry_of(base)  # raises for what is no model
        self.base = base
        self._address = address
        self._module = module_of_caller()
        self.lanes = lanes_by_name(lanes)
        self.settings = Settings() if settings is None else settings
        check_settings(self.settings)
        routing_of(self.settings)
        self.clock = SystemClock() if clock is None else clock
        _check_clock(self.clock)
        if on_event is not None:
            check_callable(on_event, "on_event", ["the event"])
        self.events = Events([on_event] if on_event is not None else [])
        self.variables = _checked_variables({} if variables is None else variables)
        self._files: dict[Path, JobsFile] = {}
        self._functions: dict[str, JobFunction[Any, Any, ...]] = {}
        self.around: Around = nothing_around
        """Returns a context manager that is entered around the code of a run started by a ticket or a timer."""
        self.is_to_begin_anew = False
        """True if `serve` ended because its server had run enough jobs, or used too much memory."""
        self._servers: list[tuple[Engine, Server]] = []
        self._probers: dict[Engine, Prober] = {}
        self._connections = KeptConnections(self.database)
        self._be_known()

    def _be_known(self) -> None:
        """Let those who have the tables of the model find its application, as Alembic has."""
        metadata = registry_of(self.base).metadata
        metadata.info[APPLICATIONS] = [*map(ref, applications_of(metadata)), ref(self)]
        metadata.info[LIMIT] = self.settings.arguments_limit

    @property
    def address(self) -> str | None:
        """Where it is, as `MODULE:APP`, for advice that names commands; None where nobody knows.

        Known from the argument of this name, from the command that found it, or from the module that has it.
        """
        if self._address is None:
            self._address = place_of(self, self._module)
        return self._address

    @address.setter
    def address(self, where: str | None) -> None:
        self._address = where

    @cached_property
    def model(self) -> ModelInfo:
        """Return the model. Raises `ModelError`, listing everything that is wrong with it."""
        return inspect_model(self.base, self.lanes, self._functions)

    @overload
    def job(self, function: Callable[P, T], /) -> JobFunction[T, AsyncTicket, P]: ...
    @overload
    def job(
        self,
        /,
        *,
        name: str | None = None,
        lane: str | Lane | None = MAIN,
        external: bool = False,
        retry: Retry | None = None,
        when: Timer | None = None,
        timeout: timedelta | None = None,
    ) -> Callable[[Callable[P, T]], JobFunction[T, AsyncTicket, P]]: ...
    def job(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        lane: str | Lane | None = MAIN,
        external: bool = False,
        retry: Retry | None = None,
        when: Timer | None = None,
        timeout: timedelta | None = None,
    ) -> Any:
        """Mark a plain function as work that a ticket can ask for, without a root.

            @app.job(lane="mail", retry=aw.Retry(attempts=5))
            def greet(name: str) -> None: ...

            aw.later(greet.given("Ann"), session=session)

        Tickets name it by `name`, or else by the function's own. `lane`, `external`, `retry` and `timeout` are those of
        `aw.method`; `when` is a timer without criteria. In a run, `aw.session()` is the session to work with: its
        changes commit with the receipt.

        Raises `BadDeclaration` for a function that could never run, and for a name that another function has.
        """
        options = RunOptions(lane, external, retry, timeout)

        def mark(target: Callable[..., Any]) -> JobFunction[Any, Any, ...]:
            return self._registered(JobFunction(target, self.base, name, when, options))

        return mark if function is None else mark(function)

    def _registered(self, function: JobFunction[Any, Any, ...]) -> JobFunction[Any, Any, ...]:
        present = self._functions.get(function.name)
        if present is not None and not present.is_same_as(function):
            raise BadDeclaration(
                f"@app.job on {function.function.__qualname__}: {present.function.__qualname__} has the name "
                f"{function.name} already. Give it another one: @app.job(name=…)."
            )
        self._functions[function.name] = function
        vars(self).pop("model", None)
        return function

    def load(self, path: str | Path, *, python: Iterable[Callable[..., Any]] = ()) -> list[str]:
        """Add the jobs of a TOML or YAML file to the model, and return their names.

            app.load("jobs.toml", python=[send_order, NoAnswer])

        Jobs are view models, methods and derived members, with what starts them, written in OCL and EAL. Loading a file
        again removes its earlier jobs first. `python` are the functions that the file may name for what OCL and EAL
        can't express, and the exceptions that are worth another attempt, each by its own name. Raises `BadJobsFile`,
        with the line; then the file's earlier jobs stay.
        """
        if not isinstance(path, str | Path):
            raise BadJobsFile(shown(path), None, "it is no path of a file.")
        file, model = Path(path).resolve(), registry_of(self.base)
        before = self._files.pop(file, None)
        if before is not None:
            before.withdraw()
        try:
            self._files[file] = load(file, self.base, model, python)
        except BaseException:
            if before is not None:
                self._files[file] = load_again(before, self.base, model)
                vars(self).pop("model", None)  # its declarations were made again
            raise
        vars(self).pop("model", None)
        return list(self._files[file].jobs)

    def install(
        self, engine: Engine | Connection, *, grant_to: Sequence[str] = (), grant_to_writers: Sequence[str] = ()
    ) -> list[str]:
        """Create or update Afterwork's tables, and its parts of the ticket table. Return a line for each step taken.

        A second call does nothing. The application's own tables must exist. On a connection, everything happens in its
        open transaction, and sees tables that are not committed yet. On PostgreSQL, the roles of `grant_to` are given
        the rights that servers need, those of `grant_to_writers` the rights of those that ask for work. Raises
        `ModelError`, `UnsupportedDatabase`, `WrongSchema` for tables of a newer version, `BadRequest` for an unknown
        role or one on SQLite, and `NotGranted` for rights that only others can grant.
        """
        grants = Grants(grant_to, grant_to_writers)
        if isinstance(engine, Connection):
            with database_behind(engine, self.settings) as database:
                return self._installation(database).install_within(engine, grants)
        return self._installation(self.database(engine)).install(grants)

    def install_script(
        self, engine: Engine, *, grant_to: Sequence[str] = (), grant_to_writers: Sequence[str] = ()
    ) -> str:
        """Return the SQL that `install` would run now, as a script for a database's administrator; "" for none.

        It is found out by an installation that is rolled back, so it needs the same rights, and raises the same.
        `grant_to` and `grant_to_writers` are those of `install`.
        """
        return self._installation(self.database(engine)).script(Grants(grant_to, grant_to_writers))

    def to_install(self, engine: Engine | Connection) -> Sequence[Finding]:
        """Return what `install` would mend, as the open transaction of a connection sees the database, or a new one."""
        if isinstance(engine, Engine):
            with engine.connect() as connection:
                return self.to_install(connection)
        with database_behind(engine, self.settings) as database:
            return Insight(database, self.model, self.clock).to_install(engine)

    def _installation(self, database: Database) -> Installation:
        return Installation(database, self.model, self.clock)

    def uninstall(self, engine: Engine | Connection, *, force: bool = False) -> list[str]:
        """Remove everything that Afterwork has made in a database. Return a line for each step taken.

        The application's own tables stay, that of tickets included, and whoever writes there notices nothing. On a
        connection, everything happens in its open transaction. Raises `StillServed` while servers run, and
        `StillNeeded` if other applications use Afterwork in the database, unless `force` says that it is all the same.
        """
        application = self.model.contract.table.fullname
        if isinstance(engine, Connection):
            with database_behind(engine, self.settings) as database:
                return Removal(database, self.clock, application).remove_within(engine, force=force)
        return Removal(self.database(engine), self.clock, application).remove(force=force)

    def repair(self, engine: Engine) -> list[str]:
        """Install what is missing, and let all caches run again. Return a line for each step taken. Use it after a
        restore, or after changes that were made while triggers were switched off. Raises what `install` raises."""
        return self.install(engine) + self._installation(self.database(engine)).repair()

    def serve(self, engine: Engine) -> int:
        """Run jobs until SIGTERM or Ctrl-C, then let current runs end within `settings.grace`. A second signal ends the
        process at once. SIGHUP lets jobs end, reads the files of jobs again (see `load`), and continues.

        Return the number of runs that did not end in time. Call it in the main thread. It waits for an unreachable
        database. Raises `ModelError`, `NotInstalled`, `WrongSchema`, `UnsupportedDatabase` or `DatabaseRefuses` at
        once.
        """
        opened = partial(self._server, engine)
        events = self.events.of_server()
        earlier: Server | None = None
        with Signals() as signals:
            while True:
                server = self._arrived(Arrival(self.database(engine), events), opened, signals)
                unfinished = 0 if server is None else self._served(engine, server, signals, earlier)
                if not signals.reload:
                    return unfinished
                earlier = server
                self._read_again(events)
                opened = partial(self._installed_server, engine)

    def _arrived(self, arrival: Arrival, opened: Callable[[], Server], signals: Signals) -> Server | None:
        """Return a server as soon as its database can be reached; None if a signal comes first."""
        signals.listen(arrival.stop)
        return arrival.at_last(opened)

    def _served(self, engine: Engine, server: Server, signals: Signals, earlier: Server | None) -> int:
        server.earlier, server.leaving.may_begin_anew = earlier, True
        signals.listen(server.stop)
        with self._in_this_process(engine, server):
            unfinished = server.run()
        self.is_to_begin_anew = server.leaving.to_begin_anew and not signals.told
        return unfinished

    def _installed_server(self, engine: Engine) -> Server:
        self.install(engine)  # the new jobs may read tables that are not captured yet
        return self._server(engine)

    def _read_again(self, events: Events) -> None:
        """Read all files of jobs again. An error in one leaves its earlier jobs as they are."""
        for path, file in list(self._files.items()):
            try:
                jobs = self.load(path, python=file.python.values())
            except BadJobsFile as error:
                events.emit(Broken("reloading", error))
            else:
                events.emit(Reloaded(str(path), len(jobs)))

    @contextmanager
    def serving(self, engine: Engine) -> Iterator[None]:
        """Run jobs in the background while the block lasts. Raises the errors that `serve` raises at its start."""
        server = self._server(engine)
        events = self.events.of_server()
        with self._in_this_process(engine, server), in_background(server, self.settings.grace, events):
            yield

    @asynccontextmanager
    async def serving_async(self, engine: Engine) -> AsyncIterator[None]:
        """Run jobs in the background while the block lasts, as `serving` does, in the lifespan of an async application:

            async with app.serving_async(engine): ...

        The event loop goes on while the server starts and stops, so jobs that wait for something in that loop can end.
        `engine` is an ordinary one. Raises what `serving` raises.
        """
        async with elsewhere(self.serving(engine)):
            yield

    @contextmanager
    def _in_this_process(self, engine: Engine, server: Server) -> Iterator[None]:
        """Count a server as one of this process while the block lasts, even if it ends too early."""
        self._servers.append((engine, server))
        try:
            yield
        finally:
            self._servers.remove((engine, server))

    def run_until_idle(self, engine: Engine) -> list[Ended]:
        """Run everything that is due, in this thread and in order. Return the runs with their outcomes. Raises
        `ModelError`, `NotInstalled`, `WrongSchema` or `UnsupportedDatabase`. Where the engine keeps its connections
        open, the one that is used stays open for the next call, until `engine.dispose()`."""
        with interruptible() as interruptions, self._connections.connection(engine) as (database, connection):
            ended = []
            for runs in ended_runs(self.runner(database, connection), connection):
                ended += runs
                interruptions.check()
            return ended

    @asking("app.explain(…)")
    def explain(self, obj: object, name: MemberOrName[Any]) -> Explanation:
        """Explain the state of a derived member, or of a view model that is a cache, of one object.

        `name` is its name, or the member itself, `Customer.total`. The explanation has its freshness, what it read,
        what last made it stale, and when and why it last ran. Changes count that a server has still to take. In doubt
        it is stale, as for `aw.is_stale`. Reads in the transaction of the object's session, which is flushed before.

        Raises `BadRequest` if the class has no such cache, `NoCacheYet` if the object can have none, `NoSession` if it
        is in no session, and `NotInstalled` or `WrongSchema` if the database is not as it must be.
        """
        session = session_of(obj)
        session.flush()
        connection = connection_of(obj)
        with self._explainer(connection) as explainer:
            derivation = explainer.matcher.registry.of(self.model.derivation_of(obj, name))
            explanation = explainer.explain_object(connection, derivation, obj)
            if not isinstance(derivation.declaration, MachineDerivation):
                return explanation
            machine = derivation.declaration.machine
            recorder = recorder_of(explainer.matcher, session, self.clock)
            stored = machine.stored(obj)
            return replace(
                explanation,
                stands_in=None if stored is None else str(stored),
                steps=PossibleTransitions(recorder, explainer.words).of(machine, obj),
            )

    @asking("app.impact(…)")
    def impact(self, obj: object, member: MemberOrName[Any]) -> list[Reader]:
        """Return the caches that become stale if a member of an object changes, direct readers first.

        `member` is its name, or the member itself, `Line.quantity`. Raises `BadRequest` if the object has no such
        member, `NoSession` if it is in no session, and `NotInstalled` or `WrongSchema` if the database is not as it
        must be.
        """
        connection = connection_of(obj)
        with self._explainer(connection) as explainer:
            return explainer.readers.impact(connection, obj, name_of_member(obj, member))

    def verify(self, engine: Engine, sample: int | None = None) -> Verified:
        """Calculate all derived members again, or `sample` of each, and report differences from the stored values.
        Stores nothing. Values that are stale at the time are left out. Raises `NotInstalled` or `WrongSchema`."""
        database = self.database(engine)
        with interruptible(), closing(database.connect()) as connection:
            runner = self.runner(database, connection)
            source = runner.source(DerivedSource)
            if source is None:
                return Verified({}, [])
            return Verifier(source.matcher, source.calculators, source.result_store).verify(connection, sample)

    @contextmanager
    def _explainer(self, connection: Connection) -> Iterator[Explainer]:
        with database_behind(connection, self.settings) as database:
            schema.check_installed(database, connection)
            yield Explainer(matcher_of(database, self.model, connection))

    def evaluate(self, session: Session, text: str, itself: object | None = None) -> Any:
        """Return the value of an OCL expression, read through a session. Changes nothing.

        `text` is the expression, and `itself` the object that it calls `self`.
        Raises `LanguageError` with the place of the error.
        """
        return evaluate(text, self.model.contract.mapper.registry, session, itself)

    def run_now(self, engine: Engine, timer: str) -> int:
        """Start a round of a timer now, in addition to those at its due times. Return the number of matching objects.

        Servers run them. Objects with a current run are left out. Raises `BadRequest` if the model has no such timer.
        """
        return self.control(engine).run_now(timer)

    def health(self, engine: Engine) -> Health:
        """Return the health of the servers in this process; without one, that of the database. Callable from any
        thread; it answers within some seconds, even if the database does not."""
        if servers := [server for used, server in list(self._servers) if used is engine]:
            return Health.of_all([server.health() for server in servers])
        if engine not in self._probers or self._probers[engine].is_replaced:
            self._probers[engine] = Prober(self.database(engine), None)
        return of_database(self._probers[engine])

    def loops(self, engine: Engine) -> Sequence[Sign]:
        """Return a sign for the loop of each server in this process. Asks no database."""
        return [server.loop_sign() for used, server in list(self._servers) if used is engine]

    def insight(self, engine: Engine) -> Insight:
        """Return a reader of a database: its tickets, servers and lanes, and the state of the installation."""
        return Insight(self.database(engine), self.model, self.clock)

    def control(self, engine: Engine) -> Control:
        """Return the controls of a database: retry a ticket, pause a lane or timer, start a timer's round."""
        events = self.events.of_server()
        return Control(self.database(engine), self.model, self.clock, events, self._variables())

    def database(self, engine: Engine) -> Database:
        """Return the database behind an engine, used by this application's settings.

        Raises `UnsupportedDatabase` if Afterwork doesn't run on it.
        """
        return database_of(engine, self.settings)

    def _server(self, engine: Engine) -> Server:
        return Server(self._runner_on(engine), partial(self._renewed, engine))

    def _runner_on(self, engine: Engine) -> Runner:
        database = self.database(engine)
        with closing(database.connect()) as connection:
            return self._assembly(database, self.events.of_server).runner(connection)

    def _renewed(self, engine: Engine, replaced: AnotherDatabase) -> Runner:
        """Return the runner for the database that has taken the place of another."""
        runner = self._runner_on(engine)
        if isinstance(replaced, RestoredBeneath):
            # Until it noticed, the server has written numbers that mean something else by now.
            now = self.clock.now()
            caches.run_all_again(runner.database, now, restored(replaced.what, now))
        return runner

    def runner(self, database: Database, connection: Connection) -> Runner:
        """Return the runner of a server on a connection, for those who run its steps themselves, as tests do.

        Raises `NotInstalled` or `WrongSchema` if the database is not as it must be.
        """
        return self._assembly(database, self.events.also).runner(connection)

    def _assembly(self, database: Database, events: Callable[[Listener], Events]) -> RunnerAssembly:
        return RunnerAssembly(self.model, database, self.clock, events, self._variables(), self.around)

    def _variables(self) -> dict[str, Any]:
        return {SERVER_STARTED: self.clock.now(), **self.variables}


def _check_clock(clock: object) -> None:
    if isinstance(clock, type) or not callable(getattr(clock, "now", None)):
        raise BadDeclaration(f"clock={shown(clock)}: give a clock, such as aw.SystemClock() or aw.ManualClock().")


def _checked_variables(variables: object) -> dict[str, Any]:
    if not isinstance(variables, Mapping) or not all(isinstance(name, str) for name in variables):
        raise BadDeclaration(f'variables={shown(variables)}: give values by name, such as {{"post": post}}.')
    return dict(variables)


def ended_runs(runner: Runner, connection: Connection) -> Iterator[list[Ended]]:
    """Run until nothing is due. Yields the runs with their outcomes, as they end."""
    for ran in run_until_idle(runner, connection):
        yield [Ended(*alone) for run, outcome in ran for alone in apart(run, outcome)]


def applications_of(metadata: MetaData) -> list[Afterwork]:
    """Return the applications that were made of a model's metadata, in the order in which they were made."""
    references = metadata.info.get(APPLICATIONS, ())
    return [app for reference in references if (app := reference()) is not None]


def application_at(where: str, absent: type[NoApplication] = NoApplication) -> Afterwork:
    """Return the application at `MODULE:APP`. Raises an error of the class `absent` if there is none."""
    module, _, name = where.partition(":")
    try:
        app = getattr(import_module(module), name, None)
    except ImportError as error:
        raise absent(f"Importing {module} raised {error}") from error
    if not isinstance(app, Afterwork):
        raise absent(f"{where} is no aw.Afterwork(…).")
    app.address = where
    return app

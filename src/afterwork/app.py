"""`aw.Afterwork`: one model, and all that can be done with it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from afterwork.clock import Clock, SystemClock
from afterwork.control import Control
from afterwork.derived.capture import requirements as caches
from afterwork.derived.compute.assembly import matcher_of, recorder_of
from afterwork.derived.compute.verify import Verified, Verifier
from afterwork.derived.explain.explainer import Explainer, Explanation, Reader
from afterwork.derived.explain.transitions import PossibleTransitions
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import BadJobsFile
from afterwork.events import Broken, Events, Listener, Reloaded
from afterwork.insight import Insight
from afterwork.interruption import interruptible
from afterwork.jobs.outcome import Outcome
from afterwork.jobs.run import Run
from afterwork.jobs.runner import Around, Runner, nothing_around
from afterwork.model.derivation import MachineDerivation
from afterwork.model.expression import evaluate
from afterwork.model.external_id import external_id
from afterwork.model.inspection import ModelInfo, inspect_model, registry_of
from afterwork.model.jobs_file.load import JobsFile, load, load_again
from afterwork.model.lane import Lane, lanes_by_name
from afterwork.model.timeout import checked_timeout
from afterwork.saving.later import session as session_of
from afterwork.server.arrival import Arrival
from afterwork.server.assembly import RunnerAssembly
from afterwork.server.background import in_background
from afterwork.server.health import Health, Prober, Sign, of_database
from afterwork.server.server import Server
from afterwork.server.signals import Signals
from afterwork.server.until_idle import run_until_idle
from afterwork.settings import Settings
from afterwork.sources.derived.source import DerivedSource
from afterwork.store import rights, schema
from afterwork.store.database import Database
from afterwork.store.dialects import database_of
from afterwork.store.routing import routing_of

SERVER_STARTED = "server_started"


@dataclass(frozen=True)
class Ended:
    """One run that `run_until_idle` made, and what came of it."""

    run: Run
    outcome: Outcome


class Afterwork:
    """Serves the jobs of one model: that of a declarative base, an automap base, or a `sqlalchemy.orm.registry`.

        app = aw.Afterwork(Base)

    The model is read once, at the first use. `settings` are the knobs of its servers, `clock` tells them the time, and
    `on_event` is told what they do (see `afterwork.events`). `variables` are given, by name, to each view model that
    declares such a variable (`aw.variable`); `server_started`, the moment at which the server began, is always one.
    `lanes` are those with rules of their own (`aw.Lane`) that no work gives as its `lane=`.
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
    ) -> None:
        self.base = base
        self.lanes = lanes_by_name(lanes)
        self.settings = settings or Settings()
        routing_of(self.settings)
        checked_timeout("Settings", self.settings.timeout)
        self.clock = clock or SystemClock()
        self.events = Events([on_event] if on_event is not None else [])
        self.variables = dict(variables or {})
        self._files: dict[Path, JobsFile] = {}
        self.around: Around = nothing_around
        """Gives, for each run that a ticket or a timer has started, what its code is to be within."""
        self.is_to_begin_anew = False
        """Whether `serve` has ended since its server had run so many jobs, or used so much memory."""
        self._servers: list[tuple[Engine, Server]] = []
        self._probers: dict[Engine, Prober] = {}

    @cached_property
    def model(self) -> ModelInfo:
        """The model. Raises `ModelError`, listing all that is wrong with it."""
        return inspect_model(self.base, self.lanes)

    def load(self, path: str | Path, *, python: Iterable[Callable[..., Any]] = ()) -> list[str]:
        """Add the jobs of a TOML or YAML file to the model: view models, methods and calculated members, with what
        starts them, written in OCL and EAL. Loading a file again takes its earlier jobs out first. Returns the names of
        the jobs.

            app.load("jobs.toml", python=[send_order, NoAnswer])

        `python` are the functions that the file may name where OCL and EAL have no words, and the exceptions that are
        worth another attempt; each by its own name.
        Raises `BadJobsFile`, with the line; then the file's earlier jobs stay.
        """
        found, model = Path(path).resolve(), registry_of(self.base)
        before = self._files.pop(found, None)
        if before is not None:
            before.withdraw()
        try:
            self._files[found] = load(found, self.base, model, python)
        except BaseException:
            if before is not None:
                self._files[found] = load_again(before, self.base, model)
            raise
        vars(self).pop("model", None)
        return list(self._files[found].jobs)

    def install(
        self, engine: Engine, *, grant_to: Sequence[str] = (), grant_to_writers: Sequence[str] = ()
    ) -> list[str]:
        """Make or update Afterwork's tables, and what it needs on the ticket table. Returns what it did, a line each.

        Doing it again does nothing. The application's own tables must be there. On PostgreSQL, the roles of `grant_to`
        are given what one needs that serves, those of `grant_to_writers` what one needs that asks for work.
        """
        database = self.database(engine)
        rights.check_can_grant(database.dialect, [*grant_to, *grant_to_writers])
        done = schema.install(database, self.model.contract)
        tables = self.model.tables if self.model.derivations else []
        with closing(database.connect()) as connection, database.transaction(connection, caches.to_install(database)):
            done += caches.install(database, connection, self._application, tables, self.clock.now())
        for role in grant_to:
            done += self._grant(database, role, rights.of_servers(self.model))
        for role in grant_to_writers:
            done += self._grant(database, role, rights.of_writers(self.model))
        return done

    def _grant(self, database: Database, role: str, needs: Iterable[rights.Need]) -> list[str]:
        with closing(database.connect()) as connection, database.transaction(connection):
            return list(rights.grant(connection, role, needs))

    @property
    def _application(self) -> str:
        """Tell this application from others on the same database, by the table of its tickets."""
        return self.model.contract.table.fullname

    def repair(self, engine: Engine) -> list[str]:
        """Install what is missing, and let all caches run again, as after a restore or after changes that were made
        while triggers were switched off. Returns what it did, a line each."""
        done = self.install(engine)
        database = self.database(engine)
        with closing(database.connect()) as connection, database.transaction(connection, caches.to_repair(database)):
            return done + caches.all_again(database, connection, self.clock.now())

    def serve(self, engine: Engine) -> int:
        """Run jobs until SIGTERM or Ctrl-C; then let those that run end within `settings.grace`. A second one ends the
        process at once. SIGHUP lets jobs end, reads the files of jobs again (see `load`), and goes on.

        Returns how many did not. Call it in the main thread. A database that can't be reached yet is waited for.
        Raises `ModelError`, `NotInstalled`, `WrongSchema`, `UnsupportedDatabase` or `DatabaseRefuses` at once.
        """
        opened = partial(self._server, engine)
        with Signals() as signals:
            while True:
                server = self._arrived(engine, opened, signals)
                unfinished = 0 if server is None else self._served(engine, server, signals)
                if not signals.reload:
                    return unfinished
                self._read_again()
                opened = partial(self._installed_server, engine)

    def _arrived(self, engine: Engine, opened: Callable[[], Server], signals: Signals) -> Server | None:
        """Return a server as soon as its database can be reached; None if a signal has come before."""
        arrival = Arrival(self.database(engine), self.events)
        signals.listen(arrival.stop)
        return arrival.at_last(opened)

    def _served(self, engine: Engine, server: Server, signals: Signals) -> int:
        server.leaving.may_begin_anew = True
        signals.listen(server.stop)
        with self._in_this_process(engine, server):
            unfinished = server.run()
        self.is_to_begin_anew = server.leaving.to_begin_anew and not signals.told
        return unfinished

    def _installed_server(self, engine: Engine) -> Server:
        self.install(engine)  # what is calculated by now may be of tables that nobody watched before
        return self._server(engine)

    def _read_again(self) -> None:
        """Read all files of jobs again. What is wrong with one leaves its earlier jobs as they are."""
        for path, file in list(self._files.items()):
            try:
                jobs = self.load(path, python=file.python.values())
            except BadJobsFile as error:
                self.events.emit(Broken("reloading", error))
            else:
                self.events.emit(Reloaded(str(path), len(jobs)))

    @contextmanager
    def serving(self, engine: Engine) -> Iterator[None]:
        """Run jobs in the background for as long as the block lasts. Raises what `serve` would raise at its start."""
        server = self._server(engine)
        with self._in_this_process(engine, server), in_background(server, self.settings.grace, self.events):
            yield

    @contextmanager
    def _in_this_process(self, engine: Engine, server: Server) -> Iterator[None]:
        """A server is in this process, also if it has ended before it should have."""
        self._servers.append((engine, server))
        try:
            yield
        finally:
            self._servers.remove((engine, server))

    def run_until_idle(self, engine: Engine) -> list[Ended]:
        """Run everything that is due, in this thread and in order, and return what ran."""
        database = self.database(engine)
        with interruptible() as interruptions, closing(database.connect()) as connection:
            ended = []
            for ran in run_until_idle(self.runner(database, connection), connection):
                ended += [Ended(run, outcome) for run, outcome in ran]
                interruptions.check()
            return ended

    def explain(self, obj: object, name: str) -> Explanation:
        """Whether a calculated member, or a view model that is a cache, is fresh; what it read, what last made it
        stale, when it last ran and why. In the transaction of the object's session.

        Raises `BadRequest` if the object has no such cache, `NoSession` if it is in no session.
        """
        session = session_of(obj)
        explainer = self._explainer(session.connection())
        definition = self._definition(explainer, obj, name)
        found = explainer.explain(session.connection(), definition, external_id(obj))
        if not isinstance(definition.declaration, MachineDerivation):
            return found
        machine = definition.declaration.machine
        recorder = recorder_of(explainer.matcher, session, self.clock)
        stored = machine.stored(obj)
        return replace(
            found,
            stands_in=None if stored is None else str(stored),
            steps=PossibleTransitions(recorder, explainer.words).of(machine, obj),
        )

    def impact(self, obj: object, member: str) -> list[Reader]:
        """The caches that become stale if this member of this object changes, those that read it first.

        Raises `BadRequest` if the object has no such member, `NoSession` if it is in no session.
        """
        connection = session_of(obj).connection()
        return self._explainer(connection).impact(connection, obj, member)

    def verify(self, engine: Engine, sample: int | None = None) -> Verified:
        """Calculate all derived members again, or `sample` of each, without storing anything, and report what differs
        from what is stored. Values that are stale at the time are left out."""
        database = self.database(engine)
        with interruptible(), closing(database.connect()) as connection:
            runner = self.runner(database, connection)
            source = runner.source(DerivedSource)
            if source is None:
                return Verified({}, [])
            return Verifier(source.matcher, source.calculators, source.result_store).verify(connection, sample)

    def _explainer(self, connection: Connection) -> Explainer:
        database = self.database(connection.engine)
        schema.check_installed(database, connection)
        return Explainer(matcher_of(database, self.model, connection))

    def _definition(self, explainer: Explainer, obj: object, name: str) -> RegisteredDerivation:
        return explainer.matcher.registry.of(self.model.derivation_of(obj, name))

    def evaluate(self, session: Session, text: str, itself: object | None = None) -> Any:
        """The value of an expression in OCL, read through a session; `itself` is `self` in it. Changes nothing.

        Raises `LanguageError` with the place of what is wrong.
        """
        return evaluate(text, self.model.contract.mapper.registry, session, itself)

    def run_now(self, engine: Engine, timer: str) -> int:
        """Let a timer have a round now, besides those at its due times. Returns how many objects match; servers run
        them. Objects for which a run goes on are left out.

        Raises `BadRequest` if the model has no such timer.
        """
        return self.control(engine).run_now(timer)

    def health(self, engine: Engine) -> Health:
        """Whether the server that runs in this process lives and is ready; without one, whether the database can be
        used. From any thread; answers within some seconds, also where the database does not."""
        if servers := [server for where, server in list(self._servers) if where is engine]:
            return Health.of_all([server.health() for server in servers])
        if engine not in self._probers:
            self._probers[engine] = Prober(self.database(engine), None)
        return of_database(self._probers[engine])

    def loops(self, engine: Engine) -> Sequence[Sign]:
        """Whether the loops of the servers in this process go round; [] if there are none. Asks no database."""
        return [server.loop_sign() for where, server in list(self._servers) if where is engine]

    def insight(self, engine: Engine) -> Insight:
        """What can be read of a database: its tickets, servers, lanes, and whether the installation is right."""
        return Insight(self.database(engine), self.model, self.clock)

    def control(self, engine: Engine) -> Control:
        """What can be done to a database: retry a ticket, pause a lane or a timer, have a timer's round now."""
        return Control(self.database(engine), self.model, self.clock, self.events, self._variables())

    def database(self, engine: Engine) -> Database:
        """Return the database behind an engine, as this application's settings have it used.

        Raises `UnsupportedDatabase` for what Afterwork doesn't run on.
        """
        return database_of(engine, self.settings)

    def _server(self, engine: Engine) -> Server:
        database = self.database(engine)
        connection = database.connect()
        try:
            return Server(self.runner(database, connection))
        finally:
            connection.close()

    def runner(self, database: Database, connection: Connection) -> Runner:
        """Return what a server works with, for who wants to run its steps one at a time, as tests do.

        Raises `NotInstalled` or `WrongSchema` if the database is not as it must be.
        """
        assembly = RunnerAssembly(self.model, database, self.clock, self.events, self._variables(), self.around)
        return assembly.runner(connection)

    def _variables(self) -> dict[str, Any]:
        return {SERVER_STARTED: self.clock.now(), **self.variables}

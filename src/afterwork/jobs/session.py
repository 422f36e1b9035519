"""The session that a run's code works in. Its transaction is the run's: Afterwork begins and ends it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, NoReturn, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.orm import ORMExecuteState, Session

from afterwork.compat.sqlalchemy_session import is_clean, is_flushing, new_objects
from afterwork.derived.tracking.session_hooks import TrackedSession
from afterwork.errors import CalculationWrites, NoConnectionInLoop, TransactionIsTheRuns
from afterwork.jobs.run import Run
from afterwork.jobs.ticket_writes import may_write_tickets
from afterwork.model.ticket import is_ticket_class
from afterwork.saving.current_work import BEGUN_RUNS, REQUESTS_AT_END, STATEMENTS_AT_END
from afterwork.saving.unique import decide_at_end
from afterwork.store.database import RUNNING, WHO_ENDS_IT
from afterwork.store.direct_statement import own
from afterwork.store.postgresql.role_limits import SettingsOfJobs

ROLLED_BACK = f"A job has rolled back its connection. {WHO_ENDS_IT}"


class RunSession(TrackedSession):
    """A session inside the run's transaction. The job can't commit, roll back, close or empty it.

    Other runs of the batch may have changed objects without flushing, so `expire` and `expunge` flush first, lest
    another run's changes be lost.
    """

    def __init__(self, connection: Connection) -> None:
        # Once closed it must not be used again: its connection belongs to other runs then.
        super().__init__(bind=connection, autoflush=True, expire_on_commit=False, close_resets_only=False)
        self._be_on(connection)
        self._ended = False
        self._may_be_old = False
        self._failed: Exception | None = None
        self.may_have_written_tickets = False
        """True once a job has saved a ticket, or may have written one past the objects."""

    def _be_on(self, connection: Connection) -> None:
        self.bind = self.outer = connection
        self._info = connection.info
        self._info[RUNNING] = True
        self._settings = SettingsOfJobs(connection)

    def before_statement(self, statement: Any) -> None:
        if not getattr(statement, "is_select", False):
            self._may_be_old = True
            self.may_have_written_tickets = self.may_have_written_tickets or may_write_tickets(statement)

    def connection(self, *args: Any, **options: Any) -> Connection:
        self._may_be_old = self.may_have_written_tickets = True
        if not is_flushing(self):
            self._save_changes()  # those of earlier runs would be written already if each had run alone
        return super().connection(*args, **options)

    def commit(self) -> NoReturn:
        raise TransactionIsTheRuns(
            "A job can't commit: what it did and the mark that it is done commit together, when it returns."
        )

    def rollback(self) -> NoReturn:
        raise TransactionIsTheRuns(
            "A job can't roll back the run's transaction. Raise an exception to have all of it undone, "
            "or use session.begin_nested() for a part of it."
        )

    def close(self) -> NoReturn:
        raise TransactionIsTheRuns("A job can't close the run's session. Afterwork does that when it returns.")

    reset = close

    def expunge_all(self) -> None:
        if not self._ended:
            raise TransactionIsTheRuns(
                "A job can't let go of all objects: those of other runs are among them. Use session.expunge(obj)."
            )
        super().expunge_all()

    def expunge(self, instance: object) -> None:
        self._save_changes()
        super().expunge(instance)

    def expire(self, instance: object, attribute_names: Iterable[str] | None = None) -> None:
        self._save_changes()
        super().expire(instance, attribute_names)

    def expire_all(self) -> None:
        self._save_changes()
        super().expire_all()

    def flush(self, objects: Any = None) -> None:
        if self._is_rolled_back:
            # An earlier flush may have failed; raise that error again for code that flushes while it handles it.
            raise self._failed or TransactionIsTheRuns(ROLLED_BACK)
        self._note_tickets()
        try:
            super().flush(objects)
        except Exception as error:
            self._failed = error
            raise

    def _note_tickets(self) -> None:
        if self.may_have_written_tickets or is_clean(self):
            return
        changed = chain(new_objects(self), self.dirty, self.deleted)
        self.may_have_written_tickets = any(is_ticket_class(type(obj)) for obj in changed)

    @property
    def _is_rolled_back(self) -> bool:
        return self._info.get(RUNNING) is False

    def _save_changes(self) -> None:
        if self.autoflush:
            self.flush()

    def begin_next(self, *runs: Run) -> None:
        """Begin the next of several jobs, which does the work of these runs. It gets its role's full time limits, and
        sees what earlier jobs wrote past the session's objects."""
        asked_for = [run for run in runs if run.ticket is not None]
        if asked_for:
            self.info.setdefault(BEGUN_RUNS, []).extend(asked_for)
        if self._may_be_old:
            self.expire_all()
            self._may_be_old = False
        self._settings.begin_again()

    def put_back_settings(self) -> None:
        """Undo what the job has set on its connection, since what follows is not part of the job."""
        self._settings.begin_again()

    def end(self) -> None:
        """Release all objects, without touching the connection's transaction."""
        self._ended = True
        self._info.pop(RUNNING, None)
        super().close()
        self._settings.take_off()


class OutsideSession(RunSession):
    """The session of an external run: it reads with no transaction open, and writes only after the run has ended."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.autoflush = False
        self.info[STATEMENTS_AT_END] = []
        self.info[REQUESTS_AT_END] = []
        self._writing = self._sent = False

    def flush(self, objects: Any = None) -> None:
        if not self._writing:
            raise TransactionIsTheRuns(
                "An external job can't flush: it runs with no transaction open, and all its changes are "
                "written in one short transaction when it returns."
            )
        super().flush(objects)

    def write(self) -> None:
        """Flush the run's changes in the connection's current transaction."""
        self._writing = True
        statements, requests = self.info.pop(STATEMENTS_AT_END, ()), self.info.pop(REQUESTS_AT_END, ())
        self._sent = bool(statements or self.new or self.dirty or self.deleted)
        for statement in statements:
            self.connection().execute(statement)
        decide_at_end(self, requests)
        self._info.pop(RUNNING, None)
        self._settings.take_off()

    @property
    def can_write_again(self) -> bool:
        """Return whether a failed transaction had none of the changes: what was flushed can't be flushed twice."""
        return not self._sent

    @contextmanager
    def unless_sent(self) -> Iterator[None]:
        """Restore the state before the block if it raises before any change was sent."""
        before = self._info.get(RUNNING)
        try:
            yield
        except Exception:
            if not self._sent and before is not None:
                self._info[RUNNING] = before
            raise


class AsyncRunSession(OutsideSession):
    """The session of an async run. It has a connection only while the run is begun, reads or is settled."""

    def get_bind(self, *args: Any, **options: Any) -> Any:
        if self.bind is None:
            raise NoConnectionInLoop()
        return super().get_bind(*args, **options)

    def leave(self) -> None:
        """Let go of the connection, and keep all objects."""
        self._info.pop(RUNNING, None)
        transaction = self.get_transaction()
        if transaction is not None:
            transaction.close()
        self._settings.take_off()
        self.bind = None

    @contextmanager
    def on(self, connection: Connection) -> Iterator[None]:
        """Read on a connection while the block lasts."""
        self._be_on(connection)
        try:
            yield
        finally:
            self.leave()

    def take(self, connection: Connection) -> None:
        """Go on with a connection until the end."""
        self._be_on(connection)

    def end(self) -> None:
        if self.bind is None:
            self._ended = True
            Session.close(self)
        else:
            super().end()


class ReadSession(RunSession):
    """The session of a calculation, which changes nothing and sees one state of the database."""

    only_reads = True

    def __init__(self, connection: Connection) -> None:
        self._info_before = {**connection.info}
        super().__init__(connection)
        self.autoflush = False

    def end(self) -> None:
        """Release all objects, and the notes on the connection, which the next calculation uses too."""
        self._info.clear()
        self._info.update(self._info_before)
        super().end()

    def flush(self, objects: Any = None) -> None:
        if self.changed:
            raise CalculationWrites(self.changed)
        if self._is_rolled_back:
            raise TransactionIsTheRuns(ROLLED_BACK)

    @property
    def is_rolled_back(self) -> bool:
        """Return whether a function has ended the transaction, so that nothing more can be calculated in it."""
        return self._is_rolled_back

    @property
    def changed(self) -> str:
        """Describe an object that was changed, added or deleted; "" if none was."""
        changed = next(iter([*self.new, *self.deleted, *(o for o in self.dirty if self.is_modified(o))]), None)
        return "" if changed is None else f"{type(changed).__name__} was added, changed or deleted"


class LoadSession(ReadSession):
    """The session that loads for several calculations. Code of jobs never gets it."""

    loads_for_many = True

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._settings.take_off()

    def expunge_all(self) -> None:
        Session.expunge_all(self)


SomeSession = TypeVar("SomeSession", bound=RunSession)


@contextmanager
def ended(session: SomeSession) -> Iterator[SomeSession]:
    """End a session after the block."""
    try:
        yield session
    finally:
        session.end()


@event.listens_for(ReadSession, "do_orm_execute")
@own
def _refuse_to_write(state: ORMExecuteState) -> None:
    """Refuse statements that write: a calculation only reads. The database would refuse in its own words."""
    if state.is_insert or state.is_update or state.is_delete:
        raise CalculationWrites(f"it executes {'an INSERT' if state.is_insert else 'an UPDATE or DELETE'}")

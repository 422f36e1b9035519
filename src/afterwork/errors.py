"""Everything that Afterwork raises, and every reason that it writes into a ticket's Error.

The docstring of a class is its meaning; its message says what is wrong, where, and what to do.
"""

from collections.abc import Sequence
from datetime import timedelta

SHOWN = 120
"""Characters of foreign text (a name, a RootId) that a message repeats."""


def shown(text: object) -> str:
    """Return foreign text as a message repeats it: quoted, printable, and at most `SHOWN` characters of it."""
    quoted = ascii(text)
    return quoted if len(quoted) <= SHOWN else f"{quoted[:SHOWN]}… ({len(quoted):,} characters)"


class AfterworkError(Exception):
    """The base of all errors of Afterwork."""


class ModelError(AfterworkError):
    """The model can't be served as it is. `problems` has one line for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} things are" if len(problems) > 1 else "1 thing is"
        super().__init__(f"{count} wrong with the model:\n" + "\n".join(f"  - {line}" for line in problems))


class BadDeclaration(AfterworkError, TypeError):
    """A method, view model, action or policy is declared in a way that could never run."""


class BadJobsFile(BadDeclaration):
    """A file of jobs can't be read, or makes no sense. Nothing of it is used."""

    def __init__(self, path: str, line: int | None, problem: str) -> None:
        self.path, self.line = path, line
        super().__init__(f"{path}{'' if line is None else f', line {line}'}: {problem}")


class BadCron(BadDeclaration):
    """A cron expression can't be read, or never matches a time."""

    def __init__(self, expression: str, reason: str, place: int | None) -> None:
        pointer = "" if place is None else f"\n    {expression}\n    {' ' * place}^"
        super().__init__(
            f"The cron expression {shown(expression)}: {reason}. It has 5 fields: minute, hour, day of the month, "
            f"month, day of the week.{pointer}"
        )


class BadCriteria(AfterworkError, TypeError):
    """The criteria of a timer don't return a query for objects of its root class."""

    def __init__(self, timer: str, problem: str) -> None:
        super().__init__(f"The timer {timer}: {problem}")


class MissingPackage(AfterworkError, ImportError):
    """A feature needs a package that is not installed."""

    def __init__(self, what: str, package: str | None, extra: str) -> None:
        super().__init__(f"{what} needs {package}, which is not installed. Try: pip install 'afterwork[{extra}]'")


class BadRequest(AfterworkError, ValueError):
    """`aw.later` or a ticket row asks for something that makes no sense."""


class BadArguments(BadRequest):
    """A work is asked for with arguments that it doesn't take, or that can't be kept until it runs."""


class Unfit(AfterworkError):
    """A value is not of the kind that a parameter takes. `where` is its place: `lines[2].price`."""

    def __init__(self, where: str, wanted: str, got: str) -> None:
        self.where, self.wanted = where, wanted
        super().__init__(f"{where} wants {wanted}, and got {got}.")


class TicketFailed(AfterworkError):
    """A ticket that was waited for has ended with an Error: its work failed, was refused, cancelled, or expired.

    `work` is the name of what ran, `ticket` the key as text, and `error` the whole Error.
    """

    def __init__(self, work: str, ticket: str, error: str) -> None:
        self.work, self.ticket, self.error = work, ticket, error
        first = error.partition("\n")[0]
        super().__init__(f"{work} (ticket {ticket}) ended with an Error: {first}")


class NotEndedYet(AfterworkError, TimeoutError):
    """A ticket that is waited for has not ended within the time-out. It goes on; wait again, if you like."""

    def __init__(self, ticket: str, timeout: timedelta) -> None:
        super().__init__(
            f"The ticket {shown(ticket)} has not ended within {timeout.total_seconds():g} s. It still may. What it "
            f"waits for: afterwork ticket MODULE:APP {ticket} --database URL"
        )


class ResultLost(AfterworkError):
    """A work was done, but what it returned was not kept, or can't be read by its annotation any more."""


class CantBeKept(AfterworkError):
    """A parameter or a result is annotated with a class whose values no ticket can keep."""

    def __init__(self, annotation: object, why: str = "whose values no ticket can keep") -> None:
        name = getattr(annotation, "__qualname__", None) or str(annotation)
        super().__init__(
            f"is annotated with {name}: {why}. A ticket keeps numbers, texts, dates and times, UUIDs, enumerations, "
            "dataclasses, named tuples, typed dicts, objects of the model, and lists, tuples, sets and dicts of them."
        )


class NotThere(BadRequest):
    """Nothing has this name or key."""


class TicketIsGone(NotThere):
    """A ticket that is waited for is not there: it was deleted, or its receipt has gone."""

    def __init__(self, ticket: str) -> None:
        super().__init__(
            f"The ticket {shown(ticket)} is gone: it was deleted, or its receipt was not kept for long enough. Ask "
            "with keep= for a longer time, or wait sooner."
        )


class NeverEnds(BadRequest):
    """A ticket is waited for where no server can end it meanwhile: it is not saved, or not committed, yet."""

    def __init__(self, why: str) -> None:
        super().__init__(f"aw.wait would wait forever: {why}")


class UnknownLane(NotThere):
    """Nothing names this lane: no work, timer or ticket, and no pause or limit."""

    def __init__(self, name: str, instead: str) -> None:
        super().__init__(
            f"There is no lane {shown(name)}. {instead} If only tickets name it, declare it: aw.Afterwork(…, "
            f"lanes=[aw.Lane({shown(name)})]). Lanes are listed by: afterwork lanes MODULE:APP "
            "--database URL"
        )


class NoCacheYet(NotThere):
    """An object has no cache of a derivation: it is not there, or no server has come to it yet."""

    def __init__(self, root: str, name: str) -> None:
        super().__init__(
            f"{root} has no cache {name}: there is no such object, or no server has come to it yet. See whether one is "
            "running: afterwork status MODULE:APP --database URL"
        )


class TooLarge(BadRequest):
    """A request to the web page is larger than allowed."""

    def __init__(self, most: int) -> None:
        super().__init__(f"A request may have {most:,} bytes at most. Select fewer, or all that match.")


class TooSlow(BadRequest):
    """The body of a request to the web page did not arrive in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The body of a request must arrive within {seconds:.0f} seconds. Send it again, or less.")


class TooManyWrongTokens(BadRequest):
    """A client has shown so many wrong tokens to the web page that it has to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Too many wrong tokens came from your address. Try again in {seconds:.0f} seconds.")


class NaiveDatetime(BadRequest):
    """A timestamp without a time zone was given where the exact time matters."""

    def __init__(self, value: object) -> None:
        super().__init__(
            f"{value} has no time zone, so it names no point in time. Give an aware datetime, "
            "for example datetime.now(timezone.utc) + timedelta(hours=1)."
        )


class MalformedExternalId(AfterworkError, ValueError):
    """A text is not the external id of any object of this model."""


class UnnamedObject(AfterworkError):
    """A row's key can't become an external id, so its object can have no cache. `root` stands for the id. It is kept as
    the error of the cache."""

    def __init__(self, root: str, why: str) -> None:
        super().__init__(
            f"{why} No external id can be made of that, so the value can't be calculated. Change the key; or, if newer "
            "code knows what it is, start a server with that code."
        )
        self.root = root


class NotAwaited(BadRequest):
    """Something asks the database of an AsyncSession, and was called without being awaited."""

    def __init__(self, call: str, instead: str | None = None) -> None:
        how = instead or "Await the function of the same name in aw.aio, or aw.aio.call(obj, function, …) without ()"
        super().__init__(
            f"{call} asks the database, which an AsyncSession does only where it is awaited. {how}, or call it by: "
            "await session.run_sync(lambda _: …)"
        )


class NoSession(AfterworkError):
    """An object is not in a session, so no transaction can take a ticket for it."""


class NoCurrentRun(AfterworkError):
    """`aw.current_run()` was called where Afterwork runs nothing."""

    def __init__(self, why: str = "aw.current_run() works only inside a method or action that Afterwork runs.") -> None:
        super().__init__(why)


class NoStep(AfterworkError):
    """A step was asked for where its result can't be kept, or by a name that was used before."""


class NoConnectionInLoop(AfterworkError):
    """The code of an `async def` work asked the database itself, in the event loop that it shares with others."""

    def __init__(self) -> None:
        super().__init__(
            "While this run is awaited it has no connection, and all others would wait for what it reads. Read it by: "
            "await aw.read(lambda: …)"
        )


class ManyCurrentRuns(NoCurrentRun):
    """`aw.current_run()` was called by a function for many, whose call belongs to several runs."""

    def __init__(self) -> None:
        super().__init__(
            "This call does the work of several runs at once (@….many), and aw.current_run() would have to name one of "
            "them. Leave out @….many from a method that needs its run."
        )


class TransactionIsTheRuns(AfterworkError):
    """A job tried to end, or to write outside, the transaction that Afterwork commits for it."""


class WaitsForItself(AfterworkError):
    """A job writes on its own connection, while its run's transaction is the one writer of a SQLite file."""

    def __init__(self) -> None:
        super().__init__(
            "The job writes to the database on a connection of its own, and so waits for its own run, which is the one "
            "that may write. Use aw.session(self), or make it external=True."
        )


class BadValue(AfterworkError, ValueError):
    """A calculation returned a value that its member can't hold. The stored value stays."""


class CalculationWrites(AfterworkError):
    """A function marked with `@aw.derived`, or a guard, changed something. It may only return a value."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"A calculation or a guard must change nothing, but {what}. Return the value; for more, use a view model "
            "with when = aw.WhenStale(), or an action of the machine."
        )


class CantTrack(AfterworkError):
    """A cache read something whose changes can't be noticed."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(
            f"A cache reads {what}, which can't be tracked: {why}. Read it inside `with aw.untracked():` if its "
            "changes may be missed, and name with aw.depends_on(…) what it is made of."
        )


class NotWatched(CantTrack):
    """A cache read a table whose changes are not captured."""

    def __init__(self, what: str, table: str) -> None:
        super().__init__(
            what,
            f"changes of {shown(table)} are not captured. Remove aw.UNWATCHED from it, or run app.install, and then "
            "start the servers again",
        )


class TextualSQL(CantTrack):
    """A cache ran SQL given as text."""

    def __init__(self, sql: str) -> None:
        super().__init__(f"by the text {shown(sql)}", "what a text reads is not known. Use select(…) instead")


class OwnConnection(CantTrack):
    """A cache opened a connection of its own."""

    def __init__(self) -> None:
        super().__init__(
            "through a connection of its own",
            "it sees another state of the database than the run does. Use aw.session(self) instead. Put reads of "
            "another database, and reads that are no reason to run again, into `with aw.untracked():`",
        )


class DriverConnection(CantTrack):
    """A cache asked for the connection of the database driver."""

    def __init__(self) -> None:
        super().__init__(
            "by the driver's own connection or cursor",
            "what is asked for there is not seen. Use aw.session(self) instead",
        )


class ConnectionOptions(CantTrack):
    """A cache set execution options on the connection that others share."""

    def __init__(self) -> None:
        super().__init__(
            "with execution options of its connection",
            "others would read with them, too. Give them to the statement, by session.execute(…, execution_options=…)",
        )


class OtherThread(CantTrack):
    """A cache handed its objects or its session to another thread or task, which reads them."""

    def __init__(self) -> None:
        super().__init__(
            "in another thread",
            "other threads don't know which cache is reading. Read what is needed first, and pass plain values to them",
        )


class ChangedForMany(AfterworkError):
    """The program has altered a statement that loads for many objects. Each is then loaded by itself, and this error
    goes unreported."""

    def __init__(self) -> None:
        super().__init__("A statement that loads for many objects was changed. Load them one by one.")


class UnknownStatement(CantTrack):
    """A cache executed an unknown kind of statement."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"by a statement of the kind {kind}", "what it reads is not known. Use select(…) instead")


class ReadsItself(CantTrack):
    """The calculation of a member read that member."""

    def __init__(self, member: str) -> None:
        super().__init__(f"{member}, the value that it calculates", "it would never become stable")


class UnknownState(AfterworkError, ValueError):
    """The state of an object is not one of its machine's."""


class NotInThisState(AfterworkError):
    """An event is not possible now. At most, transitions that need no event were made."""

    def __init__(self, who: str, event: str, state: object, possible: Sequence[str]) -> None:
        self.event, self.state, self.possible = event, state, tuple(possible)
        super().__init__(
            f"{event} is not possible: {who} is in the state {state}. Possible there now: "
            f"{', '.join(possible) or 'nothing'}. Ask first with aw.can(…)."
        )


class StateHasChanged(AfterworkError):
    """Somebody else moved the object meanwhile. Nothing of this move is saved."""

    def __init__(self, who: str, machine: str, before: object) -> None:
        super().__init__(
            f"{who} was in the state {before} of {machine} when it was read, and no longer is: somebody else has moved "
            "it. Roll back, read it again, and see whether the move is still possible."
        )


class EndlessMachine(AfterworkError):
    """Transitions without an event follow each other endlessly. None of them is saved."""

    def __init__(self, who: str, machine: str, path: Sequence[str]) -> None:
        super().__init__(
            f"{machine} of {who} never comes to rest: {' → '.join(path)}. Give one of these transitions a guard that "
            "becomes false, or an event."
        )


class RowNotFound(AfterworkError):
    """A value could not be written, since no row has the key of its object."""

    def __init__(self, table: str, key: object, wanted: int, written: int) -> None:
        which = f"has the key {shown(key)}" if wanted == 1 else f"is there for {wanted - written} of {wanted} keys"
        super().__init__(
            f"No row of {table} {which} as the model writes it, so the value can't be stored. Rewrite the key, or let "
            "its type write it as it is stored."
        )


class NotInline(AfterworkError):
    """A calculation can't be made in the transaction that takes the change. Never leaves Afterwork."""


class Escaped(AfterworkError):
    """The application's code raised `raised`, which is not an `Exception`. What ends a program, a thread or a task
    elsewhere ends one run here."""

    def __init__(self, raised: BaseException) -> None:
        super().__init__(f"The application's code raised {type(raised).__name__}, which has ended this run alone.")
        self.raised = self.__cause__ = raised


class ChosenOutcome(AfterworkError):
    """The code of a run ends it with an outcome of its own choice. Let this pass."""


class RunAgain(ChosenOutcome):
    """`aw.retry_in` was called: the run has another attempt after `pause`."""

    def __init__(self, pause: timedelta, why: str) -> None:
        self.pause = pause
        super().__init__(f"The run asked for another attempt in {pause}{f': {why}' if why else '.'}")


class EndedForGood(ChosenOutcome):
    """`aw.give_up` was called: the run ends for good, with its text as the Error."""


class ClaimLost(AfterworkError):
    """Another server has taken over a run, so nothing of this one may be saved."""

    def __init__(self) -> None:
        super().__init__("Another server has taken this run over.")


class LaneTaken(AfterworkError):
    """The lane that a view model names is not free. The run is tried again a little later."""

    def __init__(self, lane: str) -> None:
        super().__init__(f"The lane {lane} is taken.")


class NotCaptured(AfterworkError):
    """Changes of the tables of caches are not captured, so the caches would never run."""

    def __init__(self, caches: Sequence[str], tables: Sequence[str]) -> None:
        super().__init__(
            f"{', '.join(caches)} can't be kept fresh: changes of {', '.join(tables)} are not captured. If the model "
            "has changed, run app.install(engine), or: afterwork install MODULE:APP --database URL. A view, or a table "
            "that is left out of capture, can't have caches."
        )


class CircularCaches(AfterworkError):
    """Values of several rows depend on each other, so that none of them can ever be right."""

    def __init__(self, path: Sequence[str]) -> None:
        super().__init__(f"It depends on itself through others: {' reads '.join(path)}. Break the cycle in the data.")


class DatabaseRefuses(AfterworkError):
    """The database refuses the connection, and waiting would change nothing. `said` is its message."""

    def __init__(self, database: str, said: str) -> None:
        super().__init__(
            f"{database} does not let this server in: {said}. Waiting would not help. See whether the user, the "
            "password and the name in its URL are right, and whether it may be used from here."
        )


class FileIsGone(AfterworkError):
    """No file has the name of a SQLite database any more, perhaps until another one takes its place."""

    def __init__(self, file: str) -> None:
        super().__init__(f"The file {file} is gone. Bring it back, or put another one in its place.")


class AnotherDatabase(AfterworkError):
    """Another database has taken the place of the one that a server has begun with. `what` says what has happened."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"This is another database than before: {what}. Connect again.")


class RestoredBeneath(AnotherDatabase):
    """A database was restored to a state in which numbers mean something else than a running server knows."""

    def __init__(self) -> None:
        super().__init__("it was restored beneath this server to an earlier state, or to that of another database")


class NotInstalled(AfterworkError):
    """The database has no tables of Afterwork."""

    def __init__(self, database: str) -> None:
        super().__init__(
            f"{database} has no tables of Afterwork. Create them once with app.install(engine), "
            "or: afterwork install MODULE:APP --database URL"
        )


class NotInPath(NotInstalled):
    """The database has tables of Afterwork, but the role's search path leads to none."""

    def __init__(self, database: str, path: str, schemas: Sequence[str]) -> None:
        places = " and ".join(schemas)
        AfterworkError.__init__(
            self,
            f"The search_path of the server's role in {database} is {path!r}, and leads to no tables of Afterwork. "
            f"There are some in schema {places}. Let the path lead there (ALTER ROLE … SET search_path = …, "
            f"{schemas[0]}), or install into a schema of the path, by app.install.",
        )


class NoApplication(AfterworkError):
    """A migration doesn't know the application whose model Afterwork is to be installed for."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"{problem} Import the module with the application in env.py, give it there by "
            'context.configure(afterwork=app), or name it in the revision: op.afterwork_install("shop:app").'
        )


class NotRehearsed(AfterworkError):
    """A script of migrations can't be tried on an empty database, so that nobody knows what Afterwork has to add."""


class NoApplicationUnderTest(NoApplication):
    """pytest doesn't know the application whose jobs are to run in a test."""

    def __init__(self, problem: str) -> None:
        AfterworkError.__init__(
            self,
            f'{problem} Give it in the configuration of pytest, as afterwork_app = "shop:app", or override the fixture '
            "afterwork_app and let it return the aw.Afterwork(…).",
        )


class NoTestDatabase(AfterworkError):
    """The fixture `afterwork` doesn't know where the jobs of a test can run."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"{problem} Override the fixture afterwork_bind, and let it return the Connection or AsyncConnection whose "
            "transaction the test rolls back (see afterwork.testing.rolled_back), or an Engine."
        )


class CommittedInTest(AfterworkError):
    """The transaction that a test is to roll back was about to be committed."""

    def __init__(self) -> None:
        super().__init__(
            "The transaction of afterwork_bind was to be committed. Jobs may have run in it, with numbers that mean "
            'nothing elsewhere, so it can only be rolled back. Give sessions join_transaction_mode="create_savepoint", '
            "or let afterwork_bind return an Engine."
        )


class TransactionOver(AfterworkError):
    """The transaction that a test is to roll back has been ended by something else."""

    def __init__(self) -> None:
        super().__init__(
            "The test's transaction is over, and what was written in it is gone, or committed. A SQLite database in "
            "memory has a single connection: whatever else connects to its engine meanwhile, ends the transaction. Let "
            "everything in the test use the connection of afterwork_bind, or a file, which has many."
        )


class JobFailed(AfterworkError):
    """A run failed in a test that wants to know. Its exception is no longer at hand: the text tells it."""


class StillServed(AfterworkError):
    """Afterwork can't be removed from a database while servers run on it."""

    def __init__(self, database: str, servers: Sequence[str]) -> None:
        super().__init__(
            f"{database} is served by {len(servers)} servers: {', '.join(servers)}. Stop them first; "
            "or remove everything nevertheless, with force=True or --force."
        )


class StillNeeded(AfterworkError):
    """Afterwork can't be removed from a database that other applications use it in."""

    def __init__(self, database: str, applications: Sequence[str]) -> None:
        names = ", ".join(applications)
        super().__init__(
            f"Applications use Afterwork in {database}, with the ticket tables {names}. Ask those who run them; "
            "or remove everything nevertheless, with force=True or --force."
        )


class NotGranted(AfterworkError):
    """The installing role lacks the right to grant what another role needs."""

    def __init__(self, role: str, grants: Sequence[str]) -> None:
        super().__init__(
            f"Only the owners of the objects can grant these rights to {role}. Let them run:\n"
            + "\n".join(f"    {grant};" for grant in grants)
        )


class NotAtCommit(AfterworkError):
    """A derived member is declared with `at="commit"`, and can't be computed by the transactions of writers."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f'{name} can\'t be computed at commit: {why}. Change its expression, or leave out at="commit".'
        )


class WrongSchema(AfterworkError):
    """The database has the tables of another version of Afterwork."""

    def __init__(self, database: str, version: int, needed: int) -> None:
        advice = (
            "Update it with app.install(engine), or: afterwork install MODULE:APP --database URL"
            if version < needed
            else "Upgrade the package afterwork on this machine"
        )
        super().__init__(
            f"{database} has version {version} of Afterwork's tables, this program needs {needed}. {advice}."
        )


class OutdatedTables(WrongSchema):
    """The database has Afterwork's tables under the names that they had before version 11."""

    def __init__(self, database: str, table: str) -> None:
        AfterworkError.__init__(
            self,
            f"{database} has tables of an Afterwork before its first release, such as {table}, under names that this "
            "version does not use and does not migrate. Drop all tables, triggers and functions whose names begin with "
            "afterwork_, then run app.install(engine), or: afterwork install MODULE:APP --database URL",
        )


class UnsupportedDatabase(AfterworkError):
    """Afterwork doesn't run on this engine."""


class Cancelled(AfterworkError):
    """A current run was cancelled by hand. `aw.progress` raises this; let it pass, and nothing is saved."""

    def __init__(self) -> None:
        super().__init__("This run was cancelled, so nothing of it is saved. Let this exception pass.")


class TimedOut(AfterworkError):
    """A run took longer than its timeout, so nothing of it is saved."""

    def __init__(self, timeout: timedelta | None = None) -> None:
        self.timeout = timeout
        limit = "its timeout" if timeout is None else f"its timeout of {timeout.total_seconds():g} s"
        super().__init__(
            f"It ran for longer than {limit}, so nothing of it is saved. Let it do less at a time, or give it longer: "
            "timeout=…, or Settings(timeout=…) where it declares none."
        )


class DatabaseTimedOut(TimedOut):
    """Triggers or constraints of the application took longer than the timeout, at the end of a run."""


class CommitTimedOut(DatabaseTimedOut):
    """The database took longer than the timeout to commit, so nothing of the run is saved."""

    def __init__(self, timeout: timedelta) -> None:
        super().__init__(timeout)
        self.args = (
            f"Its commit took longer than {timeout.total_seconds():g} s and was cancelled, so nothing of it is saved. "
            "Most likely a deferred trigger or a deferred constraint of the application is slow, or waits for "
            "something. Make it quicker, or give the work longer: timeout=….",
        )


class EndTimedOut(DatabaseTimedOut):
    """The database took longer than the timeout to end the ticket, so nothing of its run is saved."""

    def __init__(self, timeout: timedelta) -> None:
        super().__init__(timeout)
        self.args = (
            f"Writing its end to the ticket took longer than {timeout.total_seconds():g} s and was cancelled, so "
            "nothing of it is saved. Most likely a trigger of the application on the ticket's table is slow, or waits "
            "for something. Make it quicker, or give the work longer: timeout=….",
        )


class BatchDisturbed(AfterworkError):
    """A job changed a ticket that was claimed together with its own. They run again, one at a time."""

    def __init__(self) -> None:
        super().__init__("A job has changed another ticket of its batch, so these tickets are run one at a time.")


class NotWritten(AfterworkError):
    """A trigger of the application silently skipped a change of a ticket."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"The end of a ticket was written, but its row has not changed: a trigger or a rule of table {table} skips "
            "the change. Let it accept changes of Done, Error and ExecuteEarliest."
        )


class TicketIsHidden(AfterworkError):
    """Policies of the ticket table let a server read a row but not lock it."""

    def __init__(self) -> None:
        super().__init__(
            "Policies of row-level security let the server's role read the ticket but not change it. Give the role a "
            "policy FOR UPDATE that admits the row in USING and WITH CHECK, or one FOR SELECT that hides it."
        )


class Refused(AfterworkError):
    """The reason why a ticket ends without having run; the text stands in its Error."""


class UnknownWork(Refused):
    """The ticket's ViewModel names no work of the model."""


class WrongRoot(Refused):
    """The root's class is not the one that the work is for."""


class PreconditionFalse(Refused):
    """The method's precondition was false when the ticket's turn came."""


class ArgumentsLost(Refused):
    """The ticket's arguments are not those that the work takes by now, or name an object that is gone."""


class StateLeft(Refused):
    """The work was asked for while a state lasts, and the object has left it."""


class CancelledByHand(Refused):
    """Somebody cancelled the ticket before it began."""

    def __init__(self, who: str) -> None:
        super().__init__(f"Cancelled by {who} before it began.")


class PrerequisiteFailed(Refused):
    """A ticket waited for another one, which did not end well."""

    def __init__(self, prerequisite: str, is_gone: bool) -> None:
        ended = "was deleted before it ended" if is_gone else "did not end well"
        super().__init__(f"Cancelled: ticket {prerequisite}, which it waited for, {ended}.")


class ServerDied(Refused):
    """The process that ran the work died, and the work must not begin again."""


class ThreadEnded(AfterworkError):
    """The thread of a run has ended outside of Python, so that nothing of the run could be written."""

    def __init__(self) -> None:
        super().__init__("The thread ended in C, as by pthread_exit: in a library that the work calls.")


class StaysSilent(AfterworkError):
    """A run goes on though its transaction is over, so that nothing of it can be saved."""

    def __init__(self) -> None:
        super().__init__(
            "A run has kept a transaction open and silent for longer than inside_limit. The transaction was ended, and "
            "the run goes on without noticing. Give it a timeout, or make it external."
        )


class GivenUp(Refused):
    """The work has ended its process, connection, worker or database again and again, so it is no longer tried."""

    def __init__(self, cause: str, times: int, inside_limit: timedelta, detail: str | None = None) -> None:
        told = "" if detail is None else f" ({shown(detail)})"
        match cause:
            case "silent":
                what = (
                    f"It took longer than inside_limit of {inside_limit.total_seconds():g} s: make it external, or "
                    f"quicker, or raise Settings.inside_limit. The database ended its connection {times} times"
                )
            case "transaction":
                what = (
                    "It took longer than the database's transaction_timeout: make it external, or quicker, or raise "
                    f"that. The database ended its connection {times} times"
                )
            case "connection":
                what = f"Its connection to the database was ended {times} times{told}. Find out who does that"
            case "worker":
                what = f"The thread that ran it was lost {times} times{told}. Find out what ends it"
            case "database":
                what = (
                    f"PostgreSQL crashed {times} times while it ran{told}, and ended all connections each time. Find "
                    "out in PostgreSQL's log what crashes"
                )
            case _:
                what = (
                    f"The process that ran it died {times} times. Find out in the log of the system whether memory ran "
                    "out or a library crashed"
                )
        super().__init__(f"{what}. It is not tried again until somebody retries it.")


class LanguageError(AfterworkError, ValueError):
    """An expression can't be read, checked, run or made SQL. `line` and `column` (from 1) are the place in `text`."""

    def __init__(self, text: str, start: int, problem: str, *, end: int | None = None) -> None:
        before = text[:start]
        self.text = text
        self.problem = problem
        self.line = before.count("\n") + 1
        self.column = start - (before.rfind("\n") + 1) + 1
        super().__init__(f"Line {self.line}, column {self.column}: {problem}\n{_pointed_at(text, start, end)}")


def _pointed_at(text: str, start: int, end: int | None) -> str:
    """Return the line of a text that contains a place, and carets under it."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    line = text[first : len(text) if last < 0 else last]
    column = start - first
    cut = max(0, column - SHOWN // 2)
    visible = "".join(char if char.isprintable() else " " for char in line[cut : cut + SHOWN])
    width = max(1, min((end or start) - start, cut + SHOWN - column, len(line) - column))
    return f"    {visible}\n    {' ' * (column - cut)}{'^' * width}"


class BadSyntax(LanguageError):
    """A text is not an expression of the language."""


class UnknownName(LanguageError):
    """An expression names an unknown member, class, operator or variable. `nearest` has similar ones."""

    def __init__(
        self, text: str, start: int, problem: str, *, end: int | None = None, nearest: Sequence[str] = ()
    ) -> None:
        self.nearest = tuple(nearest)
        suggestion = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
        super().__init__(text, start, problem + suggestion, end=end)


class WrongType(LanguageError):
    """An operator or assignment is given a value that it can't take."""


class HasEffects(LanguageError):
    """A query, guard or criterion would change something."""


class NotInSQL(LanguageError):
    """A part of an expression has no meaning in SQL."""


class CantEvaluate(LanguageError):
    """A valid expression can't be evaluated with the values that it met."""


class TooMuch(LanguageError):
    """An expression takes more steps, or makes larger values, than it may."""

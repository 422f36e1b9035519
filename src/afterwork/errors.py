"""Everything that Afterwork raises, and every reason it writes into a ticket's Error.

The docstring of a class is what it means; its message says what is wrong, where, and what to do.
"""

from collections.abc import Sequence

SHOWN = 120
"""Characters of foreign text (a name, a RootId) that a message repeats."""


def shown(text: object) -> str:
    """Foreign text as a message repeats it: quoted, printable, and never longer than `SHOWN`."""
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


class BadRequest(AfterworkError, ValueError):
    """`aw.later` or a ticket row asks for something that can't be meant."""


class NaiveDatetime(BadRequest):
    """A moment without a time zone was given where the moment itself matters."""

    def __init__(self, value: object) -> None:
        super().__init__(
            f"{value} has no time zone, so it names no moment. Give an aware datetime, "
            "for example datetime.now(timezone.utc) + timedelta(hours=1)."
        )


class MalformedExternalId(AfterworkError, ValueError):
    """A text is not the external id of any object of this model."""


class NoSession(AfterworkError):
    """An object is not in a session, so there is no transaction to put a ticket into."""


class NoCurrentRun(AfterworkError):
    """`aw.current_run()` was called where Afterwork runs nothing."""

    def __init__(self) -> None:
        super().__init__("aw.current_run() has an answer only inside a method or action that Afterwork runs.")


class TransactionIsTheRuns(AfterworkError):
    """A job tried to end, or write past, the transaction that Afterwork commits for it."""


class NotInstalled(AfterworkError):
    """The database has no tables of Afterwork."""

    def __init__(self, database: str) -> None:
        super().__init__(
            f"{database} has no tables of Afterwork. Create them once with app.install(engine), "
            "or: afterwork install MODULE:APP --database URL"
        )


class WrongSchema(AfterworkError):
    """The database has Afterwork's tables as another version of Afterwork made them."""

    def __init__(self, database: str, found: int, needed: int) -> None:
        advice = (
            "Update it with app.install(engine), or: afterwork install MODULE:APP --database URL"
            if found < needed
            else "Upgrade the package afterwork on this machine"
        )
        super().__init__(
            f"{database} has version {found} of Afterwork's tables, this program needs {needed}. {advice}."
        )


class UnsupportedDatabase(AfterworkError):
    """The engine is none that Afterwork runs on."""


class Refused(AfterworkError):
    """Why a ticket ends without having run: the text stands in its Error."""


class UnknownWork(Refused):
    """The ticket's ViewModel names nothing that the model registers."""


class WrongRoot(Refused):
    """The root is of another class than the work is for."""


class PreconditionFalse(Refused):
    """The method's precondition was false when its turn came."""


class ServerDied(Refused):
    """The process that ran it died again and again, so it is not tried any more."""

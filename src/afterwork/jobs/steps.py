"""`aw.step`, by which an external run does something elsewhere that another attempt does not repeat."""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from afterwork.clock import Clock
from afterwork.errors import BadRequest, CantBeKept, ClaimLost, NoCurrentRun, NoStep, Unfit, shown
from afterwork.events import Broken, Events
from afterwork.jobs.run import Run
from afterwork.model.arguments.annotation import NOTHING, Resolver, signature_of
from afterwork.model.arguments.kind import Kind
from afterwork.model.arguments.kind_of import Kinds
from afterwork.model.functions import is_async
from afterwork.model.key import key_text
from afterwork.store import steps as store
from afterwork.store.database import Database

P = ParamSpec("P")
Result = TypeVar("Result")

MAX_NAME_LENGTH = 200

SendErrand = Callable[[Callable[[Connection], Any]], Awaitable[Any]]
"""Awaits what a function returns, which a thread calls with a connection."""


class Steps:
    """The steps of one attempt of an external run. Their results are read on the run's connection, on which nothing can
    be written, and kept at once on another one."""

    def __init__(self, database: Database, connection: Connection, clock: Clock, events: Events, run: Run) -> None:
        self._database = database
        self._connection = connection
        self._clock = clock
        self._events = events
        self._run = run
        self._kept: Mapping[str, str] | None = None
        self._names: set[str] = set()

    def do(self, name: str, function: Callable[[], Any], kind: Kind) -> Any:
        """Return the result of a step: the kept one if an earlier attempt has done it."""
        self._begin(name)
        if self._kept is None:
            self._kept = store.kept(self._connection, self._run.id)
        if name in self._kept:
            return self._read(name, self._kept[name], kind)
        result = function()
        done = self._done(name, result, kind)
        if done is not None:
            self._keep(done)
        return result

    def _begin(self, name: str) -> None:
        if name in self._names:
            raise NoStep(
                f"aw.step({name!r}, …): this run has had a step of this name. Give each one a name of its own."
            )
        self._names.add(name)

    def _read(self, name: str, text: str, kind: Kind) -> Any:
        try:
            return kind.read(json.loads(text), "the result", _no_objects)
        except Unfit as error:
            raise NoStep(
                f"aw.step({name!r}, …) was done by an earlier attempt, with a result that this code can't read: {error}"
            ) from None

    def _done(self, name: str, result: Any, kind: Kind) -> store.KeptStep | None:
        """Return what is to be kept of a step; None if its result can't be, which the log says."""
        try:
            tree = kind.write(result, "the result")
            text, is_open = json.dumps(tree, allow_nan=False), kind.shown(tree) == tree
        except (Unfit, TypeError, ValueError, RecursionError) as error:
            # It is done, and failing would only repeat it.
            what = f"keeping the step {name!r} of {self._run.work}, which another attempt would repeat,"
            self._events.emit(Broken(what, error))
            return None
        return store.KeptStep(self._run.id, key_text(self._run.ticket), name, text, self._clock.now(), is_open)

    def _keep(self, done: store.KeptStep) -> None:
        if self._database.shares_one_connection:
            _unwritten.get().append(done)
        else:
            _write(self._database, [done])


class AsyncSteps(Steps):
    """The steps of one attempt of an async run. `errand` awaits something that needs a connection."""

    def __init__(self, database: Database, errand: SendErrand, clock: Clock, events: Events, run: Run) -> None:
        self._database, self._errand = database, errand
        self._clock, self._events, self._run = clock, events, run
        self._kept, self._names = None, set()

    async def await_it(self, name: str, function: Callable[[], Awaitable[Any]], kind: Kind) -> Any:
        """Do the same as `do`, with a function whose result is awaited."""
        self._begin(name)
        if self._kept is None:
            self._kept = await self._errand(lambda connection: store.kept(connection, self._run.id))
        if name in self._kept:
            return self._read(name, self._kept[name], kind)
        result = await function()
        done = self._done(name, result, kind)
        if done is not None:
            await self._errand(lambda connection: _write_on(self._database, connection, [done]))
        return result


def _write(database: Database, done: Sequence[store.KeptStep]) -> None:
    with closing(database.connect()) as connection:
        _write_on(database, connection, done)


def _write_on(database: Database, connection: Connection, done: Sequence[store.KeptStep]) -> None:
    try:
        with database.transaction(connection):
            store.keep(connection, done)
    except IntegrityError:
        raise ClaimLost() from None


_unwritten: ContextVar[list[store.KeptStep]] = ContextVar("afterwork_unwritten_steps")
"""The steps of the run that goes on that can't be written meanwhile, since its connection is the only one."""


@contextmanager
def written_afterwards(database: Database) -> Iterator[None]:
    """Write the steps of the block at its end, however that comes, if they could not be written at once."""
    unwritten: list[store.KeptStep] = []
    token = _unwritten.set(unwritten)
    try:
        yield
    finally:
        _unwritten.reset(token)
        if unwritten:
            _write(database, unwritten)


_steps: ContextVar[Steps | None] = ContextVar("afterwork_steps")
"""The steps of the run that goes on; None in one inside a transaction."""


@contextmanager
def stepping(steps: Steps | None) -> Iterator[None]:
    """Let `step` use these steps while the block lasts."""
    token = _steps.set(steps)
    try:
        yield
    finally:
        _steps.reset(token)


def step(name: str, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Result:
    """Do a step of an external run, and keep its result: `receipt = aw.step("charge", bank.charge, card, amount)`.

    Another attempt of the run, after a crash or a failure, gets the kept result and does not call the function again. A
    step that raises is not kept. If the process ends between the call and the keeping, the step is repeated: give the
    other system `aw.current_run().id` as well. The result is kept as JSON by the function's annotation, as arguments
    are; without one it may be a text, number, truth value, None, or a list or dict of these. What can't be kept is
    returned, and the log says so. The page shows results, but for those with a secret in them: annotate the function as
    `-> Annotated[str, aw.Secret]`. Results stay as long as the ticket's receipt, also if it is tried again by hand.

    In an `async def` work, the function is an `async def`, too, and the step is awaited: `await aw.step("charge", …)`.

    Raises `NoCurrentRun` outside runs; `NoStep` in runs inside a transaction, for a second step of one name, for an
    `async def` where the work is none (or the other way round), and for a kept result that no longer fits the
    annotation; `BadRequest` for a name that is no text of 1 to 200 characters, or a result type that can't be kept.
    """
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise BadRequest(f"aw.step({shown(name)}, …): give it a name of 1 to {MAX_NAME_LENGTH} characters.")
    try:
        steps = _steps.get()
    except LookupError:
        raise NoCurrentRun("aw.step works only inside a method or action that Afterwork runs.") from None
    if steps is None:
        raise NoStep(
            f"aw.step({name!r}, …): this run is inside a transaction, so all of it is undone and done again anyway. "
            "Steps are for what is done elsewhere: declare the work external=True."
        )
    kind = _kind_of(name, function)
    if isinstance(steps, AsyncSteps):
        _check_awaits(name, function, True)
        return steps.await_it(name, lambda: function(*args, **kwargs), kind)  # type: ignore
    _check_awaits(name, function, False)
    return steps.do(name, lambda: function(*args, **kwargs), kind)  # type: ignore[no-any-return]


def _check_awaits(name: str, function: object, awaits: bool) -> None:
    """Refuse a function that would keep the event loop from all other runs, or whose call only begins something."""
    if is_async(function) == awaits:
        return
    if awaits:
        raise NoStep(
            f"aw.step({name!r}, …): this run shares its event loop with others, so its steps are awaited. Give an "
            f"async def and its arguments, or have a thread do it: await aw.step({name!r}, asyncio.to_thread, …)"
        )
    raise NoStep(f"aw.step({name!r}, …): nobody awaits an async def here. Write the work itself as async def.")


def _kind_of(name: str, function: Callable[..., Any]) -> Kind:
    """Return the kind of a function's result. Raises `BadRequest` if it can't be kept."""
    kinds = Kinds(Resolver.of_function(function, None, None))
    try:
        annotation = signature_of(function).return_annotation
    except (TypeError, ValueError):  # a function in C
        annotation = NOTHING
    try:
        return kinds.of(annotation)
    except CantBeKept as error:
        raise BadRequest(f"aw.step({name!r}, …): its result {error}") from None
    except NameError as error:
        raise BadRequest(
            f"aw.step({name!r}, …): the annotation {annotation!r} of its result can't be resolved ({error})."
        ) from None


def _no_objects(text: str, cls: type, where: str) -> NoReturn:
    raise Unfit(where, "something else than an object of the model", text)

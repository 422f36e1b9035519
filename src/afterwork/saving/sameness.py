"""The sameness of requests: which arguments count, for how long, and how far the first of them may be postponed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from afterwork.errors import BadArguments, BadRequest, shown
from afterwork.model.arguments.parameters import Arguments, Parameters


@dataclass(frozen=True)
class By:
    """The arguments that make requests the same, by the `names` of their parameters; see `aw.by`. None: all of them.

    A request is also the same as one that has begun or is done, if that was made `within` this time before it."""

    names: tuple[str, ...] | None = None
    within: timedelta | None = None


@dataclass(frozen=True)
class Debounce:
    """Lets each request postpone the pending one, `at_most` by this time after that was made; see `aw.debounce`."""

    at_most: timedelta
    by: By


Unique = bool | timedelta | By | Debounce
"""The ways to be unique: `True`, for a period, by some arguments, or with each request postponing the last."""


def by(*names: str, within: timedelta | None = None) -> By:
    """Return what makes a request unique by some of its arguments: `aw.later(…, unique=aw.by("reason"))`.

    Without names, all requests for the same work on the same root are one. With `within`, a request that was made less
    than this time ago counts even if its run has begun, or is done.

    Raises `BadRequest` for what is no name or no period.
    """
    for name in names:
        if not isinstance(name, str):
            raise BadRequest(f"aw.by takes the names of parameters, not {shown(name)}.")
    return By(names, None if within is None else _period(within, "within="))


def debounce(at_most: timedelta, by: By | None = None) -> Debounce:
    """Return what lets each request postpone the pending one: `unique=aw.debounce(timedelta(minutes=5))`.

    The pending ticket gets the time that the new request asks for, but `at_most` this long after it was made itself, so
    that a stream of requests can't postpone it forever. `by` says which arguments make requests the same.

    Raises `BadRequest` for what is no period.
    """
    if by is not None and not isinstance(by, By):
        raise BadRequest(f'by={shown(by)}: give aw.by("reason").')
    if by is not None and by.within is not None:
        raise BadRequest("aw.debounce postpones what is pending, so it takes no aw.by(…, within=…).")
    return Debounce(_period(at_most, "at_most="), by or By())


def unique_by(unique: Unique) -> By:
    """Return what makes requests the same. Raises `BadRequest` for what is no period."""
    match unique:
        case By():
            return unique
        case Debounce(by=by):
            return by
        case timedelta():
            return By(within=_period(unique, "unique="))
        case bool():
            return By()


def _period(period: timedelta, argument: str) -> timedelta:
    if not isinstance(period, timedelta) or period <= timedelta(0):
        raise BadRequest(f"{argument}{shown(period)}: give a period, such as timedelta(hours=1).")
    return period


@dataclass(frozen=True)
class Sameness:
    """Tells whether the arguments of a ticket are those of a request, as far as they count. Defaults count, too."""

    parameters: Parameters
    arguments: Arguments | None
    names: Sequence[str]

    @classmethod
    def of(cls, parameters: Parameters, arguments: Arguments | None, by: By) -> "Sameness":
        """Return the sameness for a request. Raises `BadArguments` for a name that is no parameter."""
        names = tuple(parameters.by_name) if by.names is None else by.names
        for name in names:
            if name not in parameters.by_name:
                raise BadArguments(
                    f"aw.by({shown(name)}): {parameters.name} has no such parameter. It takes {parameters}."
                )
        return cls(parameters, arguments, names)

    def has(self, text: object) -> bool:
        """Return whether a ticket with these arguments, as a text, asks for the same."""
        own = None if self.arguments is None else self.arguments.described()
        return text == own or self._counting(text) == self._counting(own)

    def _counting(self, text: object) -> object:
        try:
            values = self.parameters.bound(self.parameters.read(text, _itself)).arguments
        except Exception:  # those of an earlier version, or a class that is made of objects only
            return text
        return [values[name] for name in self.names]


def _itself(text: str, cls: type, where: str) -> str:
    """Let the external id stand for an object: who has the same one is the same."""
    return text

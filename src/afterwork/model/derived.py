"""`@aw.derived`: functions of a class whose result is stored in a member, and computed again after each change."""

import functools
from collections.abc import Callable
from datetime import timedelta
from inspect import isfunction
from typing import Any, Generic, Literal, Protocol, Self, TypeVar, overload

from sqlalchemy import Column
from sqlalchemy.orm import Mapped, MappedColumn, Mapper

from afterwork.errors import BadDeclaration
from afterwork.model.functions import check_callable_alone, checked_function
from afterwork.model.timeout import checked_timeout
from afterwork.model.when import WhenStale

Owner = TypeVar("Owner")
Result = TypeVar("Result")
Member = TypeVar("Member")
Expression = TypeVar("Expression")


EXPRESSION = "@compute_total.expression above def total_in_sql(cls)"


class Derived(Generic[Owner, Result]):
    """A function of a class that computes a member. A call from Python stores nothing."""

    def __init__(
        self,
        function: Callable[[Owner], Result],
        member: object,
        when: WhenStale,
        timeout: timedelta | None = None,
        at: Literal["commit"] | None = None,
        last_change: bool = False,
    ) -> None:
        check_callable_alone(function, "@aw.derived")
        where = f"@aw.derived on {function.__qualname__}"
        self.timeout = checked_timeout(where, timeout)
        if at not in (None, "commit"):
            raise BadDeclaration(f'{where}: at={at!r}. Give at="commit", or leave it out.')
        self.function = function
        self.name = function.__name__
        self.when = when
        self.is_at_commit = at is not None
        self.keeps_last_change = last_change
        self.in_sql: Callable[..., Any] | None = None
        self._member = member
        functools.update_wrapper(self, function)  # type: ignore[arg-type]

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self._member = member_name(self._member, owner)

    @overload
    def __get__(self, target: None, owner: type) -> Self: ...
    @overload
    def __get__(self, target: object, owner: type) -> Callable[[], Result]: ...
    def __get__(self, target: object | None, owner: type) -> Self | Callable[[], Result]:
        return self if target is None else functools.partial(self.function, target)  # type: ignore[arg-type]

    def expression(self, function: Callable[[Any], Expression]) -> Callable[[Any], Expression]:
        """Mark the function that returns the same value in SQL.

        If the expression can be turned round, the database keeps the member right in sets, and never calls the Python
        function. Otherwise one statement computes many stale values. It takes the class, and returns an expression or a
        scalar select that is correlated with it.

            @compute_total.expression
            def _total_in_sql(cls): ...

        A `classmethod` or `staticmethod` does, too. Returns the function. Raises `BadDeclaration` if it can't be called
        with one argument, is asynchronous or a generator, or if there is an expression already.
        """
        mark = f"@{self.name}.expression"
        if self.in_sql is not None:
            raise BadDeclaration(f"{mark}: {self.name} has an expression already, {self.in_sql.__qualname__}.")
        self.in_sql = checked_function(function, mark, "cls", example=EXPRESSION)
        # With the method's own name, as setters of properties have it, it would take the method's place in its class.
        return self if self.in_sql.__name__ == self.name else function  # type: ignore[return-value]

    def member_of(self, mapper: Mapper[Any]) -> str:
        """Return the name of the member, in a mapped class that has this function.

        Raises `BadDeclaration` if that class has no such member, or none that is a column.
        """
        where = f"@aw.derived on {mapper.class_.__name__}.{self.name}"
        key = member_key(self._member, mapper)
        if key is None or key not in mapper.columns:
            raise BadDeclaration(f"{where}: {no_column(self._member, mapper)}")
        if not isinstance(mapper.columns[key], Column):
            raise BadDeclaration(f"{where}: {key} is calculated by the database, so it can't be written.")
        if mapper.columns[key].primary_key:
            raise BadDeclaration(f"{where}: {key} is part of the primary key, which must not change.")
        return key


def member_name(member: object, owner: type) -> object:
    """Return the name of a member in the body of its class, while the class is being made.

    Mapping replaces the members by other objects. Returns a member that has no name there as it was given.
    """
    if member is None or isinstance(member, str):
        return member
    return next((key for key, value in vars(owner).items() if value is member), member)


def member_key(member: object, mapper: Mapper[Any]) -> str | None:
    """Return the name of a member, given as column, attribute or name; None for anything else."""
    match member:
        case str(name):
            return name
        case MappedColumn() | Column():
            column = member if isinstance(member, Column) else member.column
            return next((p.key for p in mapper.column_attrs if p.columns[0].name == column.name), None)
        case _:
            return getattr(member, "key", None)


def no_column(member: object, mapper: Mapper[Any]) -> str:
    """Return the sentence on a member that is no column of a class, with similar names."""
    from afterwork.model.known_names import meant  # only errors need it

    suggestion = meant(member, mapper.columns.keys()) if isinstance(member, str) else ""
    return " ".join(filter(None, (f"{member!r} is no column of {mapper.class_.__name__}.", suggestion)))


class DerivedDecorator(Protocol):
    """Makes a derived member of a function that returns anything."""

    def __call__(self, function: Callable[[Owner], Result], /) -> Derived[Owner, Result]: ...


class DerivedMemberDecorator(Protocol[Member]):
    """Makes a derived member of a function that returns what the member holds."""

    def __call__(self, function: Callable[[Owner], Member], /) -> Derived[Owner, Member]: ...


@overload
def derived(
    member: MappedColumn[Any] | Column[Any] | str,
    /,
    *,
    priority: int | None = None,
    allow_oldness: timedelta = timedelta(0),
    timeout: timedelta | None = None,
    at: Literal["commit"] | None = None,
    last_change: bool = False,
) -> DerivedDecorator: ...
@overload
def derived(
    member: Mapped[Member],
    /,
    *,
    priority: int | None = None,
    allow_oldness: timedelta = timedelta(0),
    timeout: timedelta | None = None,
    at: Literal["commit"] | None = None,
    last_change: bool = False,
) -> DerivedMemberDecorator[Member]: ...
def derived(
    member: Mapped[Member] | MappedColumn[Any] | Column[Any] | str,
    /,
    *,
    priority: int | None = None,
    allow_oldness: timedelta = timedelta(0),
    timeout: timedelta | None = None,
    at: Literal["commit"] | None = None,
    last_change: bool = False,
) -> DerivedDecorator | DerivedMemberDecorator[Member]:
    """Mark a function of a class that computes one of its members. The server keeps the member up to date: it runs the
    function once for each object, records what it read, and runs it again when exactly that has changed. With an
    `expression`, the query itself leads from a change to the objects, if it can be turned round.

        total: Mapped[Decimal] = mapped_column(default=Decimal(0))

        @aw.derived(total)
        def compute_total(self) -> Decimal: ...

    `member` is a column of the class, or its name. `priority` and `allow_oldness` mean what they mean for `WhenStale`.
    A calculation that takes longer than `timeout` fails with `TimedOut`; None means the one of the server's settings,
    or their `inside_limit`. With `at="commit"`, the database computes a member with an expression in the transaction
    that changes what it is made of. `last_change` keeps when and why a value in sets was last written; of all others
    that is known anyway. The function must change nothing, and may read other derived members.
    Raises `BadDeclaration` for a function that could never run, and a `timeout` that is no duration above zero.
    """
    when = WhenStale(priority=priority, allow_oldness=allow_oldness)
    if isfunction(member):
        raise BadDeclaration(f"@aw.derived on {member.__qualname__}: name its member: @aw.derived(total).")

    def decorate(function: Callable[[Owner], Result], /) -> Derived[Owner, Result]:
        return Derived(function, member, when, timeout, at, last_change)

    return decorate

"""The derivations of a model: derived members, view models, and machines that move by themselves."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from types import CodeType
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.orm import Mapper

from afterwork.boundary import CONTAINED
from afterwork.compat.sqlalchemy_conditions import typed_condition
from afterwork.errors import BadDeclaration
from afterwork.model.derived import Derived
from afterwork.model.expression import expression_of, texts_of
from afterwork.model.lane import lane_name
from afterwork.model.machine.declaration import Machine, declared_machines
from afterwork.model.ticket import is_ticket_class
from afterwork.model.viewmodel import ViewModel
from afterwork.model.when import WhenStale
from afterwork.model.work import vars_lookup

MANIFEST_VERSION = 3
"""The version of the manifests that runs write. With another one, all caches run again that ran before."""


@dataclass(frozen=True, eq=False)
class _Derivation:
    """A derivation of the objects of the class `root`."""

    name: str
    root: Mapper[Any]
    when: WhenStale

    @property
    def table(self) -> Table:
        """The table with a row for each object of the root class."""
        table = self.root.local_table
        assert isinstance(table, Table)
        return table

    @property
    def timeout(self) -> timedelta | None:
        """The declared time-out of one run, if there is one."""
        return None


@dataclass(frozen=True, eq=False)
class MemberDerivation(_Derivation):
    """`Customer.total`, computed by a function of Customer."""

    derived: Derived[Any, Any]
    member: str

    @property
    def timeout(self) -> timedelta | None:
        return self.derived.timeout

    @property
    def sql_side(self) -> Callable[[], Any] | None:
        """A function that returns the value in SQL, correlated with the table of the class; None without such SQL.

        The model declares it, or its text in OCL is translated.
        """
        in_sql = self.derived.in_sql
        if in_sql is not None:
            return lambda: typed_condition(in_sql(self.root.class_))
        expression = expression_of(self.derived.function)
        sql = None if expression is None else expression.in_sql(self.root)
        return None if sql is None else lambda: typed_condition(sql)

    @property
    def sql_side_problem(self) -> str | None:
        """The exception that the declared function for SQL raises, as text; None if it raises nothing."""
        try:
            with CONTAINED:
                if self.derived.in_sql is not None:
                    self.derived.in_sql(self.root.class_)
        except Exception as error:  # of the application's own function
            return f"{type(error).__name__}: {error}"
        return None

    @property
    def column(self) -> Column[Any]:
        """The column that it writes."""
        column = self.root.columns[self.member]
        assert isinstance(column, Column)
        return column

    @property
    def overrides(self) -> Mapping[str, Any]:
        """The functions of this class and those below it that compute the member in another way, by class."""
        classes = [m.class_ for m in self.root.self_and_descendants if m is self.root or not m.concrete]
        functions = {cls.__name__: vars_lookup(cls, self.derived.name) for cls in classes}
        return {name: functions[name] for name in sorted(functions) if functions[name] is not self.derived}

    @cached_property
    def checksum(self) -> str:
        """A text that changes when the code that computes the member does."""
        parts = [self.derived.function.__code__]
        if self.derived.in_sql is not None:
            parts.append(self.derived.in_sql.__code__)
        functions = (getattr(override, "function", override) for override in self.overrides.values())
        parts += [function.__code__ for function in functions if hasattr(function, "__code__")]
        return _checksum(parts, _text_or_name(self.derived.function, self.root))


@dataclass(frozen=True, eq=False)
class ViewModelDerivation(_Derivation):
    """A view model that says `when = aw.WhenStale(…)`."""

    view_model: type[ViewModel[Any]]

    @property
    def timeout(self) -> timedelta | None:
        return self.view_model.timeout

    @property
    def lane(self) -> str | None:
        """The lane that the view model names. Caches of those that name none run beside all lanes."""
        named = any("lane" in vars(cls) for cls in self.view_model.__mro__ if cls is not ViewModel)
        lane = self.view_model.lane if named else None
        return None if lane is None else lane_name(lane)

    @cached_property
    def checksum(self) -> str:
        """A text that changes when the code of the view model does."""
        return _checksum(_codes(self.view_model), ", ".join(_texts(self.view_model, self.root)))


@dataclass(frozen=True, eq=False)
class MachineDerivation(_Derivation):
    """`Order.flow`, a machine that moves by itself. Invariant: no eventless transition is enabled but untaken."""

    machine: Machine

    @property
    def column(self) -> Column[Any] | None:
        """Return the column that has the state; None if the database calculates it."""
        column = self.root.columns[self.machine.member_of(self.root)]
        return column if isinstance(column, Column) else None

    @property
    def lane(self) -> None:
        """Machines run beside all lanes."""

    @cached_property
    def checksum(self) -> str:
        """A text that changes when the states, the transitions or the code of guards do."""
        guards = list(self.machine.guards(self.root.class_))
        outline = [self.machine.outline, *filter(None, (texts_of(guard, self.root.registry) for guard in guards))]
        return _checksum([guard.__code__ for guard in guards], ", ".join(outline))


Derivation = MemberDerivation | ViewModelDerivation | MachineDerivation


def derivations_of(
    mappers: Iterable[Mapper[Any]], view_models: Iterable[type[ViewModel[Any]]], problems: list[str]
) -> dict[str, Derivation]:
    """Return all derivations by name. Adds what is wrong with their declarations to `problems`, a line each."""
    by_class = {mapper.class_: mapper for mapper in mappers}
    derivations: dict[str, Derivation] = {}
    for member in _members(by_class.values(), problems):
        if member.name in derivations:
            problems.append(f"{member.name} is calculated by 2 functions. One member has one.")
        derivations[member.name] = member
    problems += _shared_columns(by_class.values(), derivations)
    for machine in _machines(by_class.values(), problems):
        derivations[machine.name] = machine
    for view_model in view_models:
        if isinstance(view_model.when, WhenStale):
            root = by_class.get(view_model.root_class) if view_model.root_class else None
            if problem := cache_problem(view_model, root):
                problems.append(problem)
            elif root is not None:
                name = view_model.__name__
                derivations[name] = ViewModelDerivation(name, root, view_model.when, view_model)
    return derivations


def _members(mappers: Iterable[Mapper[Any]], problems: list[str]) -> Iterator[MemberDerivation]:
    for mapper in mappers:
        for name in dict.fromkeys(name for base in mapper.class_.__mro__ for name in vars(base)):
            declared = _declared(mapper, name)
            if isinstance(declared, Derived) and not _is_inherited(mapper, name) and not _is_all_below(mapper):
                try:
                    _check_table(mapper, name)
                    _check_is_captured(mapper, name)
                    member = declared.member_of(mapper)
                except BadDeclaration as error:
                    problems.append(str(error))
                else:
                    yield MemberDerivation(
                        f"{mapper.class_.__name__}.{member}", mapper, declared.when, declared, member
                    )


def _machines(mappers: Iterable[Mapper[Any]], problems: list[str]) -> Iterator[MachineDerivation]:
    for mapper in mappers:
        for machine in declared_machines(mapper.class_):
            try:
                _check_table(mapper, machine.name)
                machine.check(mapper)
            except BadDeclaration as error:
                problems.append(str(error))
            else:
                if machine.eventless and not _is_inherited(mapper, machine.name):
                    yield MachineDerivation(f"{mapper.class_.__name__}.{machine.name}", mapper, WhenStale(), machine)


def _shared_columns(mappers: Iterable[Mapper[Any]], derivations: Mapping[str, Derivation]) -> Iterator[str]:
    """Yield the columns that have the state of a machine, and are written by something else as well."""
    for mapper in mappers:
        writers: dict[str, str] = {}
        for machine in declared_machines(mapper.class_):
            with suppress(BadDeclaration):  # which is told elsewhere
                column = f"{mapper.class_.__name__}.{machine.member_of(mapper)}"
                others = [name for name in (writers.get(column), column if column in derivations else None) if name]
                if others:
                    yield f"{column} has the state of {machine.where}, and of {others[0]} as well. Give each a column."
                writers[column] = machine.where


def _check_table(mapper: Mapper[Any], name: str) -> None:
    """Raise `BadDeclaration` unless objects of a class are rows of a table, and have its key."""
    if problem := _lacks_table(mapper, name):
        raise BadDeclaration(problem)


def _check_is_captured(mapper: Mapper[Any], name: str) -> None:
    if is_ticket_class(mapper.class_):
        raise BadDeclaration(
            f"{mapper.class_.__name__}.{name}: changes of tickets are not captured, so none of their values could be "
            "kept right. Keep it in the class that the tickets are about."
        )


def _lacks_table(mapper: Mapper[Any], name: str) -> str:
    """Return the reason why objects of a class can't have a cache; "" if they can."""
    name = f"{name} is a cache of {mapper.class_.__name__}"
    if not isinstance(mapper.local_table, Table):
        return (
            f"{name}, which is mapped to a query or a join. A cache belongs to the rows of a table: declare it on a "
            "class that is mapped to one, and read the other class there."
        )
    top = mapper if mapper.concrete else mapper.base_mapper
    if set(top.primary_key) != set(top.local_table.primary_key):
        return (
            f"{name}, whose primary key is not that of its table {top.local_table}. The rows of a cache are found by "
            "the key of the table: give the columns primary_key=True instead of naming them in __mapper_args__."
        )
    return ""


def _declared(mapper: Mapper[Any], name: str) -> object:
    """Return what a class has under a name.

    A class with a table of its own has the derived members of the classes above it, even if it overrides their
    functions by plain ones.
    """
    own = vars_lookup(mapper.class_, name)
    if mapper.concrete and mapper.inherits is not None and not isinstance(own, Derived):
        above = vars_lookup(mapper.inherits.class_, name)
        return above if isinstance(above, Derived) else own
    return own


def _is_inherited(mapper: Mapper[Any], name: str) -> bool:
    """Return whether a mapped class above has it, too. Then that class declares the caches of this one's objects."""
    above = mapper.inherits
    return above is not None and not mapper.concrete and isinstance(vars_lookup(above.class_, name), Derived | Machine)


def _is_all_below(mapper: Mapper[Any]) -> bool:
    """Return whether all objects of a class belong to classes below, which have tables and caches of their own."""
    return not isinstance(mapper.local_table, Table) and any(m.concrete for m in mapper.self_and_descendants)


def cache_problem(view_model: type[ViewModel[Any]], root: Mapper[Any] | None) -> str:
    """Return the reason why a view model can't be a cache; "" if it can."""
    name = view_model.__name__
    if root is None:
        return f"{name} has when = aw.WhenStale(…) but no root class. A cache belongs to objects."
    if problem := _lacks_table(root, name):
        return problem
    if view_model.external:
        return (
            f"{name} has when = aw.WhenStale(…) and external = True. What a cache does must be undone with its "
            "transaction: let it ask for the external work with aw.later(…)."
        )
    if not view_model.actions:
        return f"{name} has when = aw.WhenStale(…) but no action, so it would do nothing."
    return ""


def _codes(view_model: type[ViewModel[Any]]) -> Iterator[CodeType]:
    for action in view_model.actions.values():
        yield action.function.__code__
        if action.enabled is not None and hasattr(action.enabled, "__code__"):
            yield action.enabled.__code__
    for column in view_model.columns.values():
        if column.fget is not None:
            yield column.fget.__code__


def _texts(view_model: type[ViewModel[Any]], root: Mapper[Any]) -> Iterator[str]:
    for action in view_model.actions.values():
        yield _text_or_name(action.function, root)
        yield _text_or_name(action.enabled, root)
    for column in view_model.columns.values():
        yield _text_or_name(column.fget, root)


def _text_or_name(function: Callable[..., Any] | None, root: Mapper[Any]) -> str:
    """Return the text that a function evaluates, or its name. All functions of texts have the same code."""
    return texts_of(function, root.registry) or getattr(function, "__name__", "")


def _checksum(codes: Iterable[CodeType], outline: str = "") -> str:
    digest = hashlib.blake2b(f"{MANIFEST_VERSION}{outline}".encode(), digest_size=12)
    for code in codes:
        _digest(code, digest)
    return digest.hexdigest()


def _digest(code: CodeType, digest: "hashlib.blake2b") -> None:
    """Digest all that determines what code does, and nothing of where it stands."""
    digest.update(code.co_code)
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _digest(constant, digest)
        else:
            digest.update(repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant).encode())

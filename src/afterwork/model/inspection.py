"""Inspect a model: its classes, its ticket class, and all work that can be asked for by name."""

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Table, inspect
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import Mapper, Session, configure_mappers, registry

from afterwork.errors import BadDeclaration, ModelError, NotThere, UnknownWork, shown
from afterwork.language.syntax.spelling import folded
from afterwork.model.base import registry_of, registry_or_none
from afterwork.model.contract import CLASS_NAME, HOW_TO_HAVE_TICKETS, Contract
from afterwork.model.derivation import Derivation, MemberDerivation, derivations_of
from afterwork.model.external_id import parse
from afterwork.model.job_function import JobFunction
from afterwork.model.known_names import MAX_LISTED, instead_of
from afterwork.model.lane import MAIN, Lane, lanes_by_name
from afterwork.model.machine.declaration import TRIGGER, declared_machines
from afterwork.model.machine.state_scope import base_of, scope_of
from afterwork.model.marks import MARKS_OF_MAPPED, MARKS_OF_VIEW_MODELS, hidden_marks, mark_of
from afterwork.model.member import MemberOrName, name_of_member
from afterwork.model.model_texts import text_problems
from afterwork.model.ticket import contract_of, is_ticket_class
from afterwork.model.timer import OnceAction, TimedWork, once_of, timers_of
from afterwork.model.viewmodel import ViewModel, no_action
from afterwork.model.when import WhenStale
from afterwork.model.work import FunctionWork, MethodWork, StateScopedWork, ViewModelWork, Work, methods_of


@dataclass(frozen=True)
class ModelInfo:
    """The declarations of an application, for its server.

    `classes`, `works`, `derivations` and `timers` are by name. `once` has the actions that run once per database, by
    the names of their view models.
    """

    classes: Mapping[str, Mapper[Any]]
    works: Mapping[str, Work]
    derivations: Mapping[str, Derivation]
    timers: Mapping[str, TimedWork]
    once: Mapping[str, Sequence[OnceAction]]
    lanes: Mapping[str, Lane]
    contract: Contract
    _spellings: Mapping[str, Work]

    def work(self, name: str | None) -> Work:
        """Return the work that a ticket names. Raises `UnknownWork`, which suggests similar names."""
        work = self.works.get(name or "") or self._spellings.get(folded(name or "")) or self._state_scoped(name or "")
        if work is None:
            raise UnknownWork(self._unknown(name))
        if work.name in self.once:
            raise UnknownWork(f"{work.name} runs once per database (aw.Once), so no ticket can ask for it.")
        return work

    @property
    def work_names(self) -> set[str]:
        """Return the names of everything that runs: works, caches, and actions that run once per database."""
        return {*self.works, *self.derivations, *(action.name for own in self.once.values() for action in own)}

    def knows(self, name: str) -> bool:
        """Return whether the model has a work of this name, whatever else is wrong with asking for it."""
        base = base_of(name)
        return base in self.works or folded(base) in self._spellings

    def _state_scoped(self, name: str) -> Work | None:
        """Return the work that `aw.while_in` asks for: `Order.escalate while flow is in shipped`."""
        scope, work = scope_of(name), self.works.get(base_of(name))
        if scope is None or not isinstance(work, MethodWork) or work.root is None:
            return None
        for machine in declared_machines(work.root):
            if machine.name == scope.machine and machine.states.named(scope.state) is not None:
                return StateScopedWork(name, work.root, work.method, scope.machine, scope.state)
        return None

    @property
    def lane_names(self) -> set[str]:
        """The names of all lanes that its works and timers name."""
        return {work.lane for work in self.works.values()} | {timer.lane for timer in self.timers.values()}

    @property
    def tables(self) -> list[Table]:
        """The tables of all classes, and those that link them, without the table of tickets."""
        mapped = {table for mapper in self.classes.values() for table in mapper.tables}
        links = {rel.secondary for mapper in self.classes.values() for rel in mapper.relationships}
        tables = {table for table in mapped | links if isinstance(table, Table) and table is not self.contract.table}
        return sorted(tables, key=lambda table: table.fullname)

    def derived_members(self, mapper: Mapper[Any]) -> frozenset[str]:
        """Return the names of the derived members that the objects of a class have."""
        return frozenset(
            derivation.member
            for derivation in self.derivations.values()
            if isinstance(derivation, MemberDerivation) and issubclass(mapper.class_, derivation.root.class_)
        )

    def derivation_of(self, obj: object, member: MemberOrName[Any]) -> Derivation:
        """Return the derivation of an object that a member, or a view model's name, means.

        Raises `NotThere`, and `BadRequest` for a member of another class."""
        return self.derivation_in(type(obj), name_of_member(obj, member))

    def derivation_in(self, cls: type, name: str) -> Derivation:
        """Return the derivation of the objects of a class that a name means. Raises `NotThere`."""
        own = [derivation for derivation in self.derivations.values() if issubclass(cls, derivation.root.class_)]
        for derivation in own:
            if name in (derivation.name, derivation.name.rpartition(".")[2]):
                return derivation
        known = instead_of(name, [derivation.name for derivation in own], verb="It has", listed_by="caches")
        raise NotThere(f"{cls.__name__} has no cache {shown(name)}. {known}")

    def derivation_named(self, name: str) -> Derivation:
        """Return the derivation with a name. Raises `NotThere`, which suggests similar names."""
        if name not in self.derivations:
            known = instead_of(name, self.derivations, verb="It has", listed_by="caches")
            raise NotThere(f"The model has no cache {shown(name)}. {known}")
        return self.derivations[name]

    def _unknown(self, name: str | None) -> str:
        if not name:
            return "ViewModel is empty. It names a view model, a method as Class.method, or a job function."
        # Only for short names: the cost of a comparison grows with their length.
        near = difflib.get_close_matches(name, self.works, n=3) if len(name) < 100 else []
        known = f" Near to it: {', '.join(near)}." if near else ""
        cls, dot, method = name.partition(".")
        if dot and cls in self.classes and hasattr(self.classes[cls].class_, method):
            return f"{shown(name)} is not marked with @aw.method, so it can't be asked for.{known}"
        if dot and cls not in self.classes:
            return f"{shown(name)}: the model has no class {shown(cls)}.{known}"
        return f"{shown(name)} is no view model, no method and no job function of this model.{known}"


def _works_by_lane(works: Mapping[str, Work]) -> dict[str, list[str]]:
    by_lane: dict[str, list[str]] = {}
    for name in sorted(works):
        if works[name].lane != MAIN:
            by_lane.setdefault(works[name].lane, []).append(name)
    return by_lane


def inspect_model(
    base: object,
    lanes: Mapping[str, Lane] | None = None,
    functions: Mapping[str, JobFunction[Any, Any]] | None = None,
) -> ModelInfo:
    """Inspect the model of a declarative base, an automap base or a `registry`. `lanes` are declared beside it.

    `functions` are those that its application marks as jobs, by their names.

    Raises `ModelError` with everything that is wrong, at once.
    """
    mappers = _mappers(base)
    problems: list[str] = []
    classes = _by_name(mappers, problems)
    view_models = list(_view_models(base, {mapper.class_ for mapper in mappers}, problems))
    works = _works(mappers, view_models, problems)
    _add_functions(works, functions or {}, problems)
    derivations = derivations_of(mappers, view_models, problems)
    timers = timers_of(works, classes, problems)
    once = once_of(works, problems)
    declared = _lanes(works, timers, lanes or {}, problems)
    problems += _misplaced(mappers, view_models)
    problems += _without_actions(view_models)
    problems += _impossible_arguments(works)
    problems += text_problems(registry_of(base), mappers, view_models, timers)
    contract = _contract(mappers, problems)
    if contract is None:
        problems += _forgotten(registry_of(base))
    if problems or contract is None:
        raise ModelError(problems)
    if contract.lane is None:
        contract = replace(contract, lanes=_works_by_lane(works))
    spellings = {folded(name): work for name, work in works.items()}
    return ModelInfo(classes, works, derivations, timers, once, declared, contract, spellings)


def from_external_id(session: Session, text: str, base: object) -> Any | None:
    """Return the object that an external id names, or None if it doesn't exist: the inverse of `external_id`.

    `base` is the declarative base whose model the id belongs to.

    Raises `MalformedExternalId` if the text can't be the external id of any object.
    """
    external = parse(text, {mapper.class_.__name__: mapper for mapper in _mappers(base)})
    return session.get(external.mapper.class_, external.key)


def _mappers(base: object) -> list[Mapper[Any]]:
    mappers = registry_of(base).mappers
    configure_mappers()
    return sorted(mappers, key=lambda mapper: (mapper.class_.__module__, mapper.class_.__qualname__))


def _by_name(mappers: Iterable[Mapper[Any]], problems: list[str]) -> dict[str, Mapper[Any]]:
    groups: dict[str, list[Mapper[Any]]] = defaultdict(list)
    for mapper in mappers:
        groups[mapper.class_.__name__].append(mapper)
    for name, same in groups.items():
        if len(same) > 1:
            where = " and ".join(f"{m.class_.__module__}.{m.class_.__qualname__}" for m in same)
            problems.append(
                f"{len(same)} classes are named {name}: {where}. A RootId says the name only, so rename one."
            )
    return {name: same[0] for name, same in groups.items()}


def _contract(mappers: Iterable[Mapper[Any]], problems: list[str]) -> Contract | None:
    for mapper in mappers:
        if is_ticket_class(mapper.class_):
            try:
                return contract_of(mapper.class_)
            except ModelError as error:
                problems.extend(error.problems)
                return None
    problems.append(f"It has no class {CLASS_NAME}. {HOW_TO_HAVE_TICKETS}")
    return None


def _misplaced(mappers: Iterable[Mapper[Any]], view_models: Iterable[type[ViewModel[Any]]]) -> Iterator[str]:
    """Yield what is marked where the mark means nothing: as of a view model in a mapped class, or the reverse."""
    for view_model in view_models:
        yield from hidden_marks(view_model)
        for name, value in vars(view_model).items():
            if (mark := mark_of(value, MARKS_OF_MAPPED)) is not None and name != TRIGGER:
                yield f"{view_model.__name__}.{name}: {mark} is for mapped classes. A view model has @aw.action."
    for base in dict.fromkeys(base for mapper in mappers for base in mapper.class_.__mro__):
        yield from hidden_marks(base)
        for name, value in vars(base).items():
            if (mark := mark_of(value, MARKS_OF_VIEW_MODELS)) is not None:
                yield f"{base.__name__}.{name}: {mark} is for view models. A mapped class has @aw.method."


def _without_actions(view_models: Iterable[type[ViewModel[Any]]]) -> Iterator[str]:
    """Yield the view models that do nothing. Others may be made of one that is a base."""
    for view_model in view_models:
        if not view_model.actions and not view_model.__subclasses__() and not isinstance(view_model.when, WhenStale):
            yield f"{no_action(view_model)} Mark the functions that do its work with @aw.action."


def _impossible_arguments(works: Mapping[str, Work]) -> Iterator[str]:
    """Yield the parameters that have to be given, and can't be. The variables of view models a server may give."""
    for work in works.values():
        if not isinstance(work, ViewModelWork):
            yield from work.parameters.problems


def _forgotten(model: registry) -> Iterator[str]:
    """Yield that classes are gone of which the tables are still there: SQLAlchemy refers to a class weakly."""
    used: set[object] = {table for mapper in model.mappers for table in mapper.tables}
    used |= {relationship.secondary for mapper in model.mappers for relationship in mapper.relationships}
    left = sorted(table.fullname for table in model.metadata.tables.values() if table not in used)
    if left:
        yield (
            f"No class is mapped to {', '.join(left[:MAX_LISTED])}. If one was, nobody holds it any more, and Python "
            "has collected it as garbage: SQLAlchemy keeps only weak references to classes. Define it in a module, or "
            "keep a reference to it for as long as the application."
        )
    elif not model.mappers:
        yield "It has no mapped classes at all. Import the modules that define them before the model is read."


def _works(
    mappers: Iterable[Mapper[Any]], view_models: Iterable[type[ViewModel[Any]]], problems: list[str]
) -> dict[str, Work]:
    works: dict[str, Work] = {work.name: work for mapper in mappers for work in methods_of(mapper)}
    for view_model in view_models:
        name = view_model.__name__
        if name in works:
            problems.append(f"2 view models are named {name}. A ticket says the name only, so rename one.")
        works[name] = ViewModelWork(name, view_model.root_class, view_model)
    return works


def _add_functions(works: dict[str, Work], functions: Mapping[str, JobFunction[Any, Any]], problems: list[str]) -> None:
    for name, function in functions.items():
        if name in works:
            problems.append(f"@app.job has the name {name}, as another work does. Give it its own: @app.job(name=…).")
        works[name] = FunctionWork(name, None, function)


def _lanes(
    works: Mapping[str, Work], timers: Mapping[str, TimedWork], beside: Mapping[str, Lane], problems: list[str]
) -> Mapping[str, Lane]:
    named = [
        *beside.values(),
        *(work.declared_lane for work in works.values()),
        *(timer.when.lane for timer in timers.values()),
    ]
    try:
        return lanes_by_name(lane for lane in named if isinstance(lane, Lane))
    except BadDeclaration as error:
        problems.append(str(error))
        return {}


def _view_models(base: object, mapped: set[type], problems: list[str]) -> Iterator[type[ViewModel[Any]]]:
    """Yield the view models of this model: those rooted in its classes, and unrooted ones of this base or none.

    Of the unrooted ones without actions, only those that name this base can be told from others' bases.
    """
    own = registry_of(base)
    for view_model in sorted(_descendants(ViewModel), key=lambda cls: (cls.__module__, cls.__qualname__)):
        root = view_model.root_class
        if root is None:
            is_ours = view_model.model is not None and registry_or_none(view_model.model) is own
            is_anyones = view_model.model is None and bool(view_model.actions)
            if is_anyones or (is_ours and (view_model.actions or not view_model.__subclasses__())):
                yield view_model
        elif any(issubclass(cls, root) for cls in mapped):
            yield view_model
        elif not any(map(_is_mapped, (root, *_descendants(root)))):
            problems.append(f"View model {view_model.__name__}: its root {root.__name__} is no mapped class.")


def _descendants(cls: type[ViewModel[Any]]) -> Iterator[type[ViewModel[Any]]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


def _is_mapped(cls: type) -> bool:
    try:
        return inspect(cls) is not None
    except NoInspectionAvailable:
        return False

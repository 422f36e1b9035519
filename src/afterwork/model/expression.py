"""`aw.ocl` and `aw.eal`: texts in the languages of the model, wherever a function of it may stand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Select, Table, inspect
from sqlalchemy.orm import Mapper, Session, registry

from afterwork.errors import BadRequest, NotInSQL, shown
from afterwork.language import ModelMethod, Names, compile_action, compile_query, to_select, to_values
from afterwork.language.names import find
from afterwork.language.precedence import Dialect
from afterwork.language.query import Action, Query
from afterwork.language.types import ANY, STRING
from afterwork.model.external_id import external_id_or_none, parse
from afterwork.model.later import later
from afterwork.model.later import session as session_of
from afterwork.model.machine.declare import declared_machines
from afterwork.model.method import BoundMethod, Method
from afterwork.model.ticket import is_ticket_class
from afterwork.model.viewmodel import ViewModel
from afterwork.model.work import methods_of

Compile = Callable[..., Query | Action]


@dataclass(frozen=True, eq=False)
class Expression:
    """A text, compiled for each class that it is evaluated on."""

    text: str
    dialect: Dialect
    compile: Compile
    _compiled: dict[type, Query | Action] = field(default_factory=dict)

    def __call__(self, target: Any) -> Any:
        """Evaluate it. `self` in the text is the object, or the root of a view model, whose variables it may name."""
        root = target.root if isinstance(target, ViewModel) else target
        variables = variables_of(target)
        compiled = self._compiled.get(type(target))
        if compiled is None:
            types = dict.fromkeys(variables, ANY)
            names = names_of(inspect(type(root)).registry)
            made = self.compile(self.text, names, type(root), variables=types, dialect=self.dialect)
            compiled = self._compiled[type(target)] = made
        return compiled(root, session=session_of(target), **variables)

    def select(self, base: registry, variables: Mapping[str, Any]) -> Select[Any]:
        """The query that the text says, of a model. Raises `LanguageError`."""
        types = dict.fromkeys(variables, ANY)
        return to_select(self.text, names_of(base), variables=types, values=variables, dialect=self.dialect)

    def in_sql(self, mapper: Mapper[Any]) -> Any | None:
        """The value for each object of a class, as an expression that is correlated with its table; None if the text
        can't become SQL."""
        if not isinstance(mapper.selectable, Table):
            return None
        try:
            values = to_values(self.text, names_of(mapper.registry), mapper.class_, dialect=self.dialect)
        except NotInSQL:
            return None
        value: Any = values.selected_columns["value"]
        entity: Any = values.column_descriptions[0]["entity"]
        same = (getattr(entity, mapper.get_property_by_column(key).key) == key for key in mapper.primary_key)
        return values.with_only_columns(value.element).where(*same).correlate(mapper.selectable).scalar_subquery()


def ocl(text: str, *, dialect: Dialect = "original") -> Callable[[Any], Any]:
    """An expression in OCL, which changes nothing: as a precondition, `enabled`, column, guard, derived value, or the
    criteria of a timer (then it says which objects: `Order.allInstances->select(exported->isNull)`).

        @aw.method(precondition=aw.ocl("self.number->isNull"))
        when = aw.Every(minutes=10, criteria=aw.ocl("Order.allInstances->select(o | o.exported->isNull)"))
        compute_total = aw.derived(total)(aw.ocl("self.lines->collect(quantity * price)->sum"))

    Comparisons bind weaker than `and`, as in the original; `dialect="omg"` is the standard's. It is compiled for a
    class when it is first evaluated there, and raises a `LanguageError` with the place of what is wrong with it.
    """
    return _function(Expression(_text(text, "aw.ocl"), dialect, compile_query))


def eal(text: str, *, dialect: Dialect = "original") -> Callable[[Any], Any]:
    """Statements in EAL, OCL that may change the model: as the body of a method, or an action of a view model.

    assign = aw.action(aw.eal("self.assignNumber"))
    assign_number = aw.method(aw.eal("self.number := NumberSeries.allInstances->first.take"))
    """
    return _function(Expression(_text(text, "aw.eal"), dialect, compile_action))


def evaluate(text: str, base: registry, session: Session, itself: object | None) -> Any:
    """The value of an expression in OCL. Raises `LanguageError`."""
    query = compile_query(text, names_of(base), None if itself is None else type(itself))
    with session.no_autoflush:
        return query(itself, session=session)


def expression_of(function: object) -> Expression | None:
    """The expression that a function evaluates; None for others."""
    found = getattr(function, "expression_of_text", None)
    return found if isinstance(found, Expression) else None


def _function(expression: Expression) -> Callable[[Any], Any]:
    def evaluated(model: Any) -> Any:
        return expression(model)

    evaluated.__name__ = evaluated.__qualname__ = expression.text
    evaluated.expression_of_text = expression  # type: ignore[attr-defined]
    return evaluated


def _text(text: object, mark: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise BadRequest(f"{mark} takes a text, not {shown(text)}.")
    return text


def variables_of(target: Any) -> Mapping[str, Any]:
    """What a text may name beside the model: the variables of a view model."""
    if not isinstance(target, ViewModel):
        return {}
    return {name: getattr(target, name) for name in type(target).variables}


# What the languages may name of a model.


def names_of(base: registry) -> Names:
    """The classes of a model, with their methods, events, view models and machines."""
    classes = {mapper.class_.__name__: mapper.class_ for mapper in base.mappers}
    return Names(
        classes,
        methods=_methods,
        view_models=lambda cls: list(getattr(cls, "ViewModels", ())),
        transients=lambda cls: ["root_object"] if is_ticket_class(cls) else [],
        states=_states,
        external_id=external_id_or_none,
        find=_find,
    )


def _methods(cls: type) -> Mapping[str, ModelMethod]:
    known = {
        name: ModelMethod(name, partial(_call, method.name), method.may_run) for name, method in _asked_for(cls).items()
    }
    return {"DoAsync": ModelMethod("DoAsync", _do_async, parameters=(STRING,), result=ANY), **known}


def _asked_for(cls: type) -> dict[str, Method[Any, Any]]:
    """The methods and events of a class, by what expressions call them: an event without its machine."""
    return {work.method.name.rpartition(".")[2]: work.method for work in methods_of(inspect(cls))}


def _call(name: str, obj: Any) -> Any:
    return _bound(obj, name)()


def _bound(obj: Any, name: str) -> BoundMethod[Any]:
    for part in name.split("."):
        obj = getattr(obj, part)
    assert isinstance(obj, BoundMethod)
    return obj


def _do_async(obj: Any, name: str) -> object:
    """`self.DoAsync('AssignNumber')`: ask for a method or an event of the object by a ticket."""
    method = find(_asked_for(type(obj)), name)
    if method is None:
        raise BadRequest(f"{type(obj).__name__} has no method {shown(name)} that could be asked for.")
    return later(_bound(obj, method.name))


def _states(cls: type) -> list[str]:
    mapper: Mapper[Any] = inspect(cls)
    return [machine.member_of(mapper) for machine in declared_machines(cls)]


def _find(session: Session, cls: type, text: str) -> object | None:
    mapper: Mapper[Any] = inspect(cls)
    found = parse(text, {one.class_.__name__: one for one in mapper.self_and_descendants})
    return session.get(found.mapper.class_, found.key)

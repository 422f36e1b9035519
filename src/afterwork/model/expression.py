"""`aw.ocl` and `aw.eal`: texts in the languages of the model, wherever a function may stand."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any, get_args

from sqlalchemy import Select, Table, inspect
from sqlalchemy.orm import Mapper, Session, registry

from afterwork.clock import CurrentClock
from afterwork.errors import BadDeclaration, BadRequest, NotInSQL, shown
from afterwork.language.query import CompiledAction, CompiledQuery, compile_action, compile_query, to_select, to_values
from afterwork.language.syntax.precedence import Dialect
from afterwork.language.syntax.spelling import find, folded
from afterwork.language.typed.names import ModelMethod, Names
from afterwork.language.typed.types import ANY, STRING
from afterwork.model.base import registry_of
from afterwork.model.external_id import external_id_or_none, parse
from afterwork.model.method import BoundMethod, Method
from afterwork.model.requests import request_work
from afterwork.model.ticket import is_ticket_class
from afterwork.model.viewmodel import ViewModel
from afterwork.model.work import methods_of, vars_lookup

Compile = Callable[..., CompiledQuery | CompiledAction]


@dataclass(frozen=True, eq=False)
class Expression:
    """A text, compiled for each class that it is evaluated on, and translated for each whose values SQL computes."""

    text: str
    dialect: Dialect
    compile: Compile
    _compiled: dict[type, CompiledQuery | CompiledAction] = field(default_factory=dict)
    _translated: dict[type, Any | None] = field(default_factory=dict)

    def __call__(self, target: Any, **extra: Any) -> Any:
        """Evaluate the text. `self` is the object, or the root of a view model; its variables and `extra` ones go by
        their names."""
        root = target.root if isinstance(target, ViewModel) else target
        variables = {**variables_of(target), **extra}
        compiled = self._compiled.get(type(target))
        if compiled is None:
            cls = None if root is None else type(root)
            compiled = self._compiled[type(target)] = self.compiled(_registry_of(target, cls), cls, variables)
        session = target.session_of_run if isinstance(target, ViewModel) else None  # which means the object's own
        return compiled(root, session=session, **variables)

    def of_variables(self, base: registry, variables: Mapping[str, Any]) -> Any:
        """Evaluate the text without `self`, but with variables. Raises `LanguageError`."""
        compiled = self._compiled.get(type(None))
        if compiled is None:
            compiled = self._compiled[type(None)] = self.compiled(base, None, variables)
        return compiled(**variables)

    def compiled(self, base: registry, cls: type | None, variables: Collection[str]) -> CompiledQuery | CompiledAction:
        """Return the text compiled for a class of `self`, or without `self`. Raises `LanguageError`."""
        types = dict.fromkeys(variables, ANY)
        return self.compile(self.text, names_of(base), cls, variables=types, dialect=self.dialect)

    def select(self, base: registry, variables: Mapping[str, Any]) -> Select[Any]:
        """Return the text as a query of a model. Raises `LanguageError`."""
        types = dict.fromkeys(variables, ANY)
        return to_select(self.text, names_of(base), variables=types, values=variables, dialect=self.dialect)

    def in_sql(self, mapper: Mapper[Any]) -> Any | None:
        """Return the value for each object as an expression correlated with its table; None if SQL can't express it."""
        cls = mapper.class_
        if cls not in self._translated:
            self._translated[cls] = self._translate(mapper)
        return self._translated[cls]

    def _translate(self, mapper: Mapper[Any]) -> Any | None:
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
    """Return a function that evaluates an expression in OCL, which changes nothing.

    It serves as a precondition, `enabled`, column, guard, derived value, or the criteria of a timer (where it selects
    the objects: `Order.allInstances->select(exported->isNull)`).

        @aw.method(precondition=aw.ocl("self.number->isNull"))
        when = aw.Every(minutes=10, criteria=aw.ocl("Order.allInstances->select(o | o.exported->isNull)"))
        compute_total = aw.derived(total)(aw.ocl("self.lines->collect(quantity * price)->sum"))

    Comparisons bind weaker than `and`, as in the original; `dialect="omg"` is the standard's way. The text is compiled
    for a class when it is first evaluated there, and raises a `LanguageError` with the position of a mistake.
    """
    return _function(Expression(_text(text, "aw.ocl"), _dialect(dialect), compile_query))


def eal(text: str, *, dialect: Dialect = "original") -> Callable[[Any], Any]:
    """Return a function that runs statements in EAL: OCL that may change the model.

    It serves as the body of a method, or as an action of a view model. `dialect` and errors are those of `aw.ocl`.

        assign = aw.action(aw.eal("self.assignNumber"))
        assign_number = aw.method(aw.eal("self.number := NumberSeries.allInstances->first.take"))
    """
    return _function(Expression(_text(text, "aw.eal"), _dialect(dialect), compile_action))


def evaluate(text: str, base: registry, session: Session, itself: object | None) -> Any:
    """Return the value of an expression in OCL. Raises `LanguageError`."""
    query = compile_query(text, names_of(base), None if itself is None else type(itself))
    with session.no_autoflush:
        return query(itself, session=session)


def expression_of(function: object) -> Expression | None:
    """Return the expression that a function evaluates; None for other functions."""
    expression = getattr(function, "expression_of_text", None)
    return expression if isinstance(expression, Expression) else None


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


def _dialect(dialect: Dialect) -> Dialect:
    if dialect not in get_args(Dialect):
        raise BadRequest(f"dialect={shown(dialect)}: there are {' and '.join(get_args(Dialect))}.")
    return dialect


def _registry_of(target: Any, cls: type | None) -> registry:
    """Return the model of a text: the object's, or the one named by a view model without a root."""
    if cls is not None:
        base: registry = inspect(cls).registry
        return base
    model = type(target).model
    if model is None:
        name = type(target).__name__
        raise BadDeclaration(
            f"{name} has no root, so its texts need its model: class {name}(aw.ViewModel, model=Base)."
        )
    return registry_of(model)


def variables_of(target: Any) -> Mapping[str, Any]:
    """Return the variables of a view model, which a text may name beside the model."""
    if not isinstance(target, ViewModel):
        return {}
    return {name: getattr(target, name) for name in type(target).variables}


def names_of(base: registry) -> Names:
    """Return the names of a model: its classes, with their methods, events, view models and machines."""
    classes = {mapper.class_.__name__: mapper.class_ for mapper in base.mappers}
    return Names(
        classes,
        methods=_methods,
        view_models=lambda cls: list(getattr(cls, "ViewModels", ())),
        transients=lambda cls: ["root_object"] if is_ticket_class(cls) else [],
        external_id=external_id_or_none,
        find=_find,
        clock=CurrentClock(),
    )


def _methods(cls: type) -> Mapping[str, ModelMethod]:
    methods = {
        name: ModelMethod(name, partial(_call, method.name), partial(_may_run, method.name))
        for name, method in _callable_methods(cls).items()
    }
    queries = {name: ModelMethod(name, attrgetter(name), result=ANY, effects=False) for name in _queries(cls)}
    return {"DoAsync": ModelMethod("DoAsync", _do_async, parameters=(STRING,), result=ANY), **methods, **queries}


def _queries(cls: type) -> dict[str, Expression]:
    """Return the properties of a class that evaluate a text: `paid = property(aw.ocl("self.payments.amount->sum"))`."""
    names = dict.fromkeys(name for base in cls.__mro__ for name in vars(base))
    properties = {name: value for name in names if isinstance(value := vars_lookup(cls, name), property)}
    expressions = {name: expression_of(value.fget) for name, value in properties.items()}
    return {name: expression for name, expression in expressions.items() if expression is not None}


def texts_of(function: object, base: registry) -> str:
    """Return the texts of a function and of the queries that it may name; "" for other functions.

    Values that were computed with other texts are out of date.
    """
    expression = expression_of(function)
    texts_by_name: dict[str, list[str]] = {}
    for mapper in base.mappers:
        for name, query in _queries(mapper.class_).items():
            texts_by_name.setdefault(folded(name), []).append(query.text)
    texts: dict[str, None] = {}
    pending = [] if expression is None else [expression.text]
    while pending:
        text = pending.pop()
        if text not in texts:
            texts[text] = None
            pending += sorted(
                {named_text for word in re.findall(r"\w+", text) for named_text in texts_by_name.get(folded(word), ())}
            )
    return "\n".join(texts)


def _callable_methods(cls: type) -> dict[str, Method[Any, Any]]:
    """Return the methods and events of a class by the names that expressions call: an event without its machine."""
    return {work.method.name.rpartition(".")[2]: work.method for work in methods_of(inspect(cls))}


def _call(name: str, obj: Any) -> Any:
    return _bound(obj, name)()


def _may_run(name: str, obj: Any) -> bool:
    bound = _bound(obj, name)  # looked up by name, since a file of jobs may have been loaded again
    return bound.method.may_run(obj)


def _bound(obj: Any, name: str) -> BoundMethod[Any]:
    for part in name.split("."):
        obj = getattr(obj, part)
    assert isinstance(obj, BoundMethod)
    return obj


def _do_async(obj: Any, name: str) -> object:
    """Request a method or an event of the object by a ticket: `self.DoAsync('AssignNumber')`."""
    method = find(_callable_methods(type(obj)), name)
    if method is None:
        raise BadRequest(f"{type(obj).__name__} has no method {shown(name)} that could be asked for.")
    return request_work(_bound(obj, method.name))


def _find(session: Session, cls: type, text: str) -> object | None:
    mapper: Mapper[Any] = inspect(cls)
    external_id = parse(text, {other.class_.__name__: other for other in mapper.self_and_descendants})
    return session.get(external_id.mapper.class_, external_id.key)

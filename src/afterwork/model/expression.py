"""`aw.ocl` and `aw.eal`: texts in the languages of the model, wherever a function may stand."""

import inspect as python
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, get_args

from sqlalchemy import Select, Table, inspect
from sqlalchemy.orm import Mapper, Session, registry

from afterwork.clock import CurrentClock
from afterwork.errors import BadDeclaration, BadRequest, LanguageError, NotInSQL, shown
from afterwork.language.query import (
    CompiledAction,
    CompiledQuery,
    check_result,
    compile_action,
    compile_query,
    to_select,
    to_values,
)
from afterwork.language.run.evaluation import Evaluation
from afterwork.language.syntax.precedence import Dialect
from afterwork.language.syntax.spelling import folded
from afterwork.language.typed.methods import MethodParameter, MethodSignature
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import first_effect
from afterwork.language.typed.types import ANY, Type
from afterwork.model.arguments.annotation import Resolver
from afterwork.model.base import registry_of
from afterwork.model.external_id import external_id_or_none, parse
from afterwork.model.text_methods import methods_in_texts, parameters_of, texts_called
from afterwork.model.text_types import type_of_annotation
from afterwork.model.ticket import is_ticket_class
from afterwork.model.viewmodel import ViewModel

Compile = Callable[..., CompiledQuery | CompiledAction]

NO_PARAMETERS: Mapping[str, Any] = {}
UNDECLARED: Any = python.Signature.empty


ITSELF = python.Parameter("self", python.Parameter.POSITIONAL_OR_KEYWORD)
PLAIN = python.Signature([ITSELF])
"""The signature of a function that takes an object, and doesn't say what it returns."""


@dataclass(frozen=True, eq=False)
class Expression:
    """A text, compiled for each class that it is evaluated on, and translated for each whose values SQL computes.

    `declared` is the signature of a function that it stands for, with `self`, and with a result if one is declared.
    """

    text: str
    dialect: Dialect
    compile: Compile
    declared: python.Signature = PLAIN
    _compiled: dict[type, CompiledQuery | CompiledAction] = field(default_factory=dict)
    _translated: dict[type, Any | None] = field(default_factory=dict)
    _being_compiled: set[type] = field(default_factory=set)

    def __call__(self, target: Any, **extra: Any) -> Any:
        """Evaluate the text. `self` is the object, or the root of a view model; its variables and `extra` ones, and the
        arguments of a method, go by their names."""
        root = target.root if isinstance(target, ViewModel) else target
        variables = {**variables_of(target), **extra}
        cls = None if root is None else type(root)
        compiled = self._compiled.get(type(target))
        if compiled is None:  # asked for here first, since each evaluation comes by
            compiled = self._prepared(type(target), _registry_of(target, cls), cls, variables)
        session = target.session_of_run if isinstance(target, ViewModel) else None  # which means the object's own
        return compiled(root, session=session, **variables)

    def of_variables(self, base: registry, variables: Mapping[str, Any], session: Session | None = None) -> Any:
        """Evaluate the text without `self`, but with variables. Raises `LanguageError`."""
        return self._prepared(type(None), base, None, variables)(session=session, **variables)

    def of_class(self, owner: type, *args: Any, session: Session | None = None, **kwargs: Any) -> Any:
        """Evaluate the text of a static method: `Customer.next_number(session=session)`. Raises `LanguageError`."""
        arguments = self.arguments((None, *args), kwargs)
        return self.of_variables(inspect(owner).registry, arguments, session)

    def within(self, evaluation: Evaluation, model: registry, itself: object, arguments: tuple[Any, ...]) -> Any:
        """Evaluate it as a part of the evaluation that calls it."""
        variables = self.arguments((itself, *arguments), {})
        compiled = self._prepared(type(itself), model, None if itself is None else type(itself))
        return compiled.within(evaluation, itself, variables)

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call with `self`, and defaults for the others, by name. Raises `TypeError`."""
        bound = self.declared.bind(*args, **kwargs)
        bound.apply_defaults()
        return {name: value for name, value in bound.arguments.items() if name != ITSELF.name}

    def _prepared(
        self, target: type, base: registry, cls: type | None, variables: Collection[str] = ()
    ) -> CompiledQuery | CompiledAction:
        return self._compiled.get(target) or self.prepare(target, base, cls, variables)

    def prepare(
        self, target: type, base: registry, cls: type | None, variables: Collection[str] = ()
    ) -> CompiledQuery | CompiledAction:
        """Compile the text anew, and keep it for its evaluations.

        `target` is the class of what it is called with, an object or a view model; `cls` is that of `self`. Raises
        `LanguageError`.
        """
        compiled = self._compiled[target] = self.compiled(base, cls, variables)
        return compiled

    def compiled(
        self, base: registry, cls: type | None, variables: Collection[str] = ()
    ) -> CompiledQuery | CompiledAction:
        """Return the text compiled for a class of `self`, or without `self`. Raises `LanguageError`."""
        parameters = self._parameters(base, cls)
        types = {**dict.fromkeys(variables, ANY), **{parameter.name: parameter.type for parameter in parameters}}
        compiled = self.compile(self.text, names_of(base), cls, variables=types, dialect=self.dialect)
        if self._says_its_result:
            check_result(compiled.expression, self._type(base, cls, self.declared.return_annotation))
        return compiled

    def signature_on(self, model: registry, cls: type | None) -> MethodSignature:
        """Return what it is as a method of a class; without a class, a static one.

        Its result is the declared one, else that of its last statement. While it is being compiled, since it calls
        itself, nothing is known of that yet, and of statements the worst is assumed.
        """
        key = type(None) if cls is None else cls
        result: Type = ANY
        has_effects = self.compile is compile_action
        if key not in self._being_compiled:
            self._being_compiled.add(key)
            try:
                tree = self._prepared(key, model, cls).expression.tree
            except LanguageError:
                pass  # reported once, for the text itself, and not for each text that calls it
            else:
                result, has_effects = tree.type, first_effect(tree) is not None
            finally:
                self._being_compiled.discard(key)
        if self._says_its_result:
            result = self._type(model, cls, self.declared.return_annotation)
        return MethodSignature(self._parameters(model, cls), result, has_effects)

    @property
    def _says_its_result(self) -> bool:
        return self.declared.return_annotation is not self.declared.empty

    def _parameters(self, base: registry, cls: type | None) -> tuple[MethodParameter, ...]:
        return parameters_of(self.declared, partial(self._type, base, cls))[1:]

    def _type(self, base: registry, cls: type | None, annotation: Any) -> Type:
        return type_of_annotation(Resolver({}, cls, base).resolve(annotation), base)

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


def ocl(
    text: str, *, parameters: Mapping[str, Any] = NO_PARAMETERS, result: Any = UNDECLARED, dialect: Dialect = "original"
) -> Callable[..., Any]:
    """Return a function that evaluates an expression in OCL, which changes nothing.

    It serves as a precondition, `enabled`, column, guard, derived value, or the criteria of a timer (where it selects
    the objects: `Order.allInstances->select(exported->isNull)`).

        @aw.method(precondition=aw.ocl("self.number->isNull"))
        when = aw.Every(minutes=10, criteria=aw.ocl("Order.allInstances->select(o | o.exported->isNull)"))
        compute_total = aw.derived(total)(aw.ocl("self.lines->collect(quantity * price)->sum"))

    As the body of a method, it may have `parameters`, with the types that Python has for them, and say its `result`,
    which is otherwise what the text gives: `aw.ocl("self.price * count", parameters={"count": int})`.

    Comparisons bind weaker than `and`, as in the original; `dialect="omg"` is the standard's way. The text is compiled
    for a class when the model is read, and raises a `LanguageError` with the position of a mistake.
    """
    return function_of_text(text, "aw.ocl", compile_query, _signature(parameters, result), dialect)


def eal(
    text: str, *, parameters: Mapping[str, Any] = NO_PARAMETERS, result: Any = UNDECLARED, dialect: Dialect = "original"
) -> Callable[..., Any]:
    """Return a function that runs statements in EAL: OCL that may change the model.

    It serves as the body of a method, or as an action of a view model. `parameters`, `result`, `dialect` and errors are
    those of `aw.ocl`.

        assign = aw.action(aw.eal("self.assignNumber"))
        assign_number = aw.method(aw.eal("self.number := NumberSeries.allInstances->first.take"))
    """
    return function_of_text(text, "aw.eal", compile_action, _signature(parameters, result), dialect)


def evaluate(text: str, base: registry, session: Session, itself: object | None) -> Any:
    """Return the value of an expression in OCL. Raises `LanguageError`."""
    query = compile_query(text, names_of(base), None if itself is None else type(itself))
    with session.no_autoflush:
        return query(itself, session=session)


def expression_of(function: object) -> Expression | None:
    """Return the expression that a function evaluates; None for other functions."""
    expression = getattr(function, "expression_of_text", None)
    return expression if isinstance(expression, Expression) else None


def function_of_text(
    text: str, mark: str, compile_: Compile, declared: python.Signature, dialect: Dialect
) -> Callable[..., Any]:
    """Return a function that evaluates a text, with a signature. Raises `BadRequest`, which names the `mark`."""
    expression = Expression(_text(text, mark), _dialect(dialect), compile_, declared)

    def evaluated(model: Any) -> Any:
        return expression(model)

    def evaluated_with_arguments(model: Any, *args: Any, **kwargs: Any) -> Any:
        return expression(model, **expression.arguments((model, *args), kwargs))

    function: Callable[..., Any] = evaluated
    if len(expression.declared.parameters) > 1:
        function = evaluated_with_arguments
        # Machines pass arguments by the names of parameters, so the other functions keep what they have.
        function.__signature__ = expression.declared  # type: ignore[attr-defined]
    function.__name__ = function.__qualname__ = expression.text
    function.__annotations__["return"] = expression.declared.return_annotation
    function.expression_of_text = expression  # type: ignore[attr-defined]
    function.of_class = expression.of_class  # type: ignore[attr-defined]
    return function


def _signature(parameters: Mapping[str, Any], result: Any) -> python.Signature:
    """Return the signature of a function with these parameters. Raises `BadRequest` for a name that it can't have."""
    if not isinstance(parameters, Mapping):
        raise BadRequest(f'parameters={shown(parameters)}: give their types by name: {{"amount": Decimal}}.')
    wrong = [name for name in parameters if not (isinstance(name, str) and name.isidentifier()) or name == ITSELF.name]
    if wrong:
        raise BadRequest(f"parameters={shown(parameters)}: {shown(wrong[0])} can't be the name of one.")
    made = [python.Parameter(name, ITSELF.kind, annotation=annotation) for name, annotation in parameters.items()]
    return python.Signature([ITSELF, *made], return_annotation=result)


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
        methods=cache(partial(methods_in_texts, base)),
        view_models=lambda cls: list(getattr(cls, "ViewModels", ())),
        transients=lambda cls: ["root_object"] if is_ticket_class(cls) else [],
        external_id=external_id_or_none,
        find=_find,
        clock=CurrentClock(),
    )


def texts_of(function: object, base: registry) -> str:
    """Return the texts of a function, and of the queries and methods that it may name; "" for other functions.

    Values that were computed with other texts are out of date.
    """
    expression = expression_of(function)
    texts_by_name: dict[str, list[str]] = {}
    for mapper in base.mappers:
        for name, named in texts_called(mapper.class_):
            texts_by_name.setdefault(folded(name), []).append(named.text)
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


def _find(session: Session, cls: type, text: str) -> object | None:
    mapper: Mapper[Any] = inspect(cls)
    external_id = parse(text, {other.class_.__name__: other for other in mapper.self_and_descendants})
    return session.get(external_id.mapper.class_, external_id.key)

"""The methods of a model as texts call them, with their types."""

import inspect as python
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Protocol

from sqlalchemy import inspect
from sqlalchemy.orm import registry

from afterwork.errors import BadRequest, shown
from afterwork.language.run.compile_method import to_python
from afterwork.language.run.evaluation import Evaluation
from afterwork.language.syntax.spelling import find
from afterwork.language.typed.methods import MethodParameter, MethodSignature, ModelMethod
from afterwork.language.typed.types import ANY, INTEGER, NOTHING, STRING, ObjectType, Type
from afterwork.model.arguments.annotation import Resolver, signature_of
from afterwork.model.machine.declaration import EventMethod, Trigger
from afterwork.model.method import BoundMethod, Method
from afterwork.model.requests import request_work
from afterwork.model.static_method import StaticMethod
from afterwork.model.text_types import type_of_annotation
from afterwork.model.ticket import is_ticket_class
from afterwork.model.work import methods_of, vars_lookup

DO_ASYNC = "DoAsync"


class Text(Protocol):
    """A text that is the body of a method, or of a property."""

    text: str

    def signature_on(self, model: registry, cls: type | None) -> MethodSignature:
        """Return its parameters, its result, and whether it changes the model."""

    def within(self, evaluation: Evaluation, model: registry, itself: object, arguments: tuple[Any, ...]) -> Any:
        """Evaluate it as a part of the evaluation that calls it."""


def text_of(function: object) -> Text | None:
    """Return the text that a function evaluates; None for other functions."""
    return getattr(function, "expression_of_text", None)


def methods_in_texts(model: registry, cls: type) -> Mapping[str, ModelMethod]:
    """Return the methods that texts may call after an object of a class; static ones after the class."""
    methods = {name: _method(model, cls, name, method) for name, method in _methods_and_events(cls).items()}
    static = {name: _static(model, cls, name, method) for name, method in _declared(cls, StaticMethod)}
    queries = {name: _query(name) for name in queries_of(cls)}
    return {DO_ASYNC: _do_async(model, cls), **methods, **static, **queries}


def queries_of(cls: type) -> dict[str, Text]:
    """Return the properties of a class that evaluate a text: `paid = property(aw.ocl("self.payments.amount->sum"))`."""
    texts = {name: text_of(declared.fget) for name, declared in _declared(cls, property)}
    return {name: text for name, text in texts.items() if text is not None}


def texts_called(cls: type) -> Iterator[tuple[str, Text]]:
    """Yield the queries and methods of a class that are texts, by name."""
    yield from queries_of(cls).items()
    methods = [*_declared(cls, Method), *_declared(cls, StaticMethod)]
    for name, method in methods:
        text = text_of(method.function)
        if text is not None:
            yield name, text


def _declared(cls: type, kind: type[Any]) -> list[tuple[str, Any]]:
    names = dict.fromkeys(name for base in cls.__mro__ for name in vars(base))
    return [(name, value) for name in names if isinstance(value := vars_lookup(cls, name), kind)]


def _methods_and_events(cls: type) -> dict[str, Method[Any, Any]]:
    """Return the methods and events of a class by the names that texts call: an event without its machine."""
    return {work.method.name.rpartition(".")[2]: work.method for work in methods_of(inspect(cls))}


# Calls


def _method(model: registry, cls: type, name: str, method: Method[Any, Any]) -> ModelMethod:
    return ModelMethod(
        name,
        partial(_call, model, method.name),
        partial(_may_run, method.name),
        partial(_signature, model, cls, method),
    )


def _static(model: registry, cls: type, name: str, method: StaticMethod[..., Any]) -> ModelMethod:
    def call(evaluation: Evaluation, owner: type, *arguments: Any) -> Any:
        declared: Any = vars_lookup(owner, name)  # a file of jobs may have been loaded again
        text = text_of(declared.function)
        if text is None:
            return _called(declared.function, (), arguments)
        return text.within(evaluation, model, None, arguments)

    signature = partial(_function_signature, model, cls, method.function, is_static=True)
    return ModelMethod(name, call, signature=signature, static=True)


def _query(name: str) -> ModelMethod:
    get = attrgetter(name)
    signature = MethodSignature(result=ANY, has_effects=False)
    return ModelMethod(name, lambda _, obj: get(obj), signature=lambda: signature)


def _call(model: registry, name: str, evaluation: Evaluation, obj: Any, *arguments: Any) -> Any:
    bound = bound_method(obj, name)
    text = text_of(bound.method.function)
    if text is None:
        return _called(bound.method.function, (obj,), arguments)
    return text.within(evaluation, model, obj, arguments)


def _called(function: Callable[..., Any], itself: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
    positional, named = as_passed(signature_of(function), (*itself, *arguments))
    return function(*positional, **named)


def as_passed(declared: python.Signature, values: Sequence[Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return the values of a call in a text as Python passes them: texts don't name parameters, and some need that."""
    in_order = _in_order(declared)
    count = next((n for n, parameter in enumerate(in_order) if parameter.kind is parameter.KEYWORD_ONLY), len(values))
    return values[:count], {each.name: value for each, value in zip(in_order[count:], values[count:], strict=False)}


def _may_run(name: str, obj: Any) -> bool:
    return bound_method(obj, name).method.may_run(obj)


def bound_method(obj: Any, name: str) -> BoundMethod[Any]:
    """Return the method of an object, looked up by name, since a file of jobs may have been loaded again."""
    for part in name.split("."):
        obj = getattr(obj, part)
    assert isinstance(obj, BoundMethod)
    return obj


# Signatures


def _signature(model: registry, cls: type, method: Method[Any, Any]) -> MethodSignature:
    """Return the signature of a method. It has effects if that of any subclass has, since that may be the one."""
    if isinstance(method, EventMethod | Trigger):
        return MethodSignature()
    own = _function_signature(model, cls, method.function)
    below = (vars_lookup(mapper.class_, method.name) for mapper in model.mappers if issubclass(mapper.class_, cls))
    others = {other for other in below if isinstance(other, Method) and other is not method}
    signatures = [own, *(_function_signature(model, cls, other.function) for other in others)]
    has_effects = any(signature.has_effects for signature in signatures)
    is_guarded = any(signature.guarded for signature in signatures)
    return MethodSignature(own.parameters, own.result, has_effects, is_guarded)


def _function_signature(
    model: registry, cls: type, function: Callable[..., Any], *, is_static: bool = False
) -> MethodSignature:
    """Return the signature of a function of a class, whose first parameter is the object unless it is static.

    A function in Python that says what it returns may be called by queries, which look whether it changes something.
    """
    text = text_of(function)
    if text is not None:
        return text.signature_on(model, None if is_static else cls)
    declared = signature_of(function)
    resolve = partial(_type, model, Resolver.of_function(function, cls, model))
    parameters = parameters_of(declared, resolve)[0 if is_static else 1 :]
    result = ANY if declared.return_annotation is declared.empty else resolve(declared.return_annotation)
    gives_something = declared.return_annotation is not declared.empty and result != NOTHING
    return MethodSignature(parameters, result, has_effects=not gives_something, guarded=gives_something)


def parameters_of(declared: python.Signature, type_of: Callable[[Any], Type]) -> tuple[MethodParameter, ...]:
    """Return the parameters by which texts call a function: in their order, since texts don't name them."""
    return tuple(
        MethodParameter(
            parameter.name,
            ANY if parameter.annotation is parameter.empty else type_of(parameter.annotation),
            optional=parameter.default is not parameter.empty,
            repeated=parameter.kind is parameter.VAR_POSITIONAL,
        )
        for parameter in _in_order(declared)
    )


def _in_order(declared: python.Signature) -> Sequence[python.Parameter]:
    """Return the parameters that texts give. Those after a repeated one can't be told from its arguments."""
    given = [each for each in declared.parameters.values() if each.kind is not each.VAR_KEYWORD]
    repeated = any(each.kind is each.VAR_POSITIONAL for each in given)
    return [each for each in given if not (repeated and each.kind is each.KEYWORD_ONLY)]


def _type(model: registry, resolver: Resolver, annotation: Any) -> Type:
    try:
        return type_of_annotation(resolver.resolve(annotation), model)
    except (NameError, TypeError, SyntaxError):  # it names something that only a type checker sees
        return ANY


# Requests


def _do_async(model: registry, cls: type) -> ModelMethod:
    """`self.DoAsync('Refund', 12.5)`: the name of a method or event, its arguments, and then a priority."""
    name, priority = MethodParameter("name", STRING), MethodParameter("priority", INTEGER, optional=True)
    ticket = next((ObjectType(mapper.class_) for mapper in model.mappers if is_ticket_class(mapper.class_)), ANY)

    def known() -> dict[str, Method[Any, Any]]:
        below = [mapper.class_ for mapper in model.mappers if issubclass(mapper.class_, cls)]
        return {name: method for each in [*below, cls] for name, method in _methods_and_events(each).items()}

    def signature_for(text: str) -> MethodSignature | None:
        method = find(known(), text)
        return None if method is None else MethodSignature((name, *_askable(model, cls, method), priority), ticket)

    anything = MethodSignature((name, MethodParameter("arguments", ANY, repeated=True)), ticket)
    return ModelMethod(
        DO_ASYNC,
        partial(_request, model),
        signature=lambda: anything,
        signature_for=signature_for,
        known_texts=lambda: list(known()),
    )


def _request(model: registry, evaluation: Evaluation, obj: Any, name: str, *values: Any) -> object:
    """Request a method or an event of an object by a ticket, with its arguments and a priority."""
    cls = type(obj)
    method = find(_methods_and_events(cls), name)
    if method is None:
        raise BadRequest(f"{cls.__name__} has no method {shown(name)} that could be asked for.")
    parameters = _askable(model, cls, method)
    arguments, rest = values[: len(parameters)], values[len(parameters) :]
    if len(rest) > 1:
        raise BadRequest(
            f"DoAsync({shown(name)}, …) has {len(values)} values after the name. It takes the arguments of "
            f"{MethodSignature(parameters).written(method.name)}, and then a priority."
        )
    work = bound_method(obj, method.name)
    if not arguments:
        return request_work(work, *rest)
    converted = (to_python(each.type)(value) for each, value in zip(parameters, arguments, strict=False))
    (_, *positional), named = as_passed(signature_of(method.function), (obj, *converted))
    return request_work(work.given(*positional, **named), *rest)


def _askable(model: registry, cls: type, method: Method[Any, Any]) -> tuple[MethodParameter, ...]:
    """Return the parameters of a method that a ticket can give."""
    return tuple(each for each in _signature(model, cls, method).parameters if not each.repeated)

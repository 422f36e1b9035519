"""Expressions as Python callables: checked and compiled once, then evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Select
from sqlalchemy.orm import Session

from afterwork.errors import BadRequest, CantEvaluate, HasEffects, LanguageError, TooMuch, WrongType
from afterwork.language.check.checker import check as check_with
from afterwork.language.operators.table import table
from afterwork.language.run.compile import compiled
from afterwork.language.run.evaluation import (
    DEFAULT_BUDGET,
    Budget,
    BudgetExhausted,
    Closure,
    Evaluation,
    LocatedError,
    MethodRaised,
    Mutation,
    Untranslatable,
    session_of,
)
from afterwork.language.sql.statement import not_in_sql, select_of, values_of
from afterwork.language.syntax.parse import ParsedText, parse
from afterwork.language.syntax.precedence import Dialect
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import SELF_SLOT, LetBinding, TypedBlock, TypedExpression, first_effect
from afterwork.language.typed.types import NOTHING, CollectionType, Type, conforms_loosely

NO_VARIABLES: Mapping[str, Type] = {}
NO_VALUES: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """An expression without side effects. Call it with its self, and with its variables by name."""

    expression: TypedExpression
    closure: Closure
    budget: Budget

    may_change: ClassVar[bool] = False

    def __call__(self, itself: object = None, *, session: Session | None = None, **variables: Any) -> Any:
        """Evaluate the expression. Collections are lists, tuples named tuples, timestamps aware.

        It reads through `session`, or through the session of `itself`. Raises `CantEvaluate` and `TooMuch`, and
        whatever the methods raise that it calls.
        """
        return _evaluate(self, itself, session, variables)

    def within(self, caller: Evaluation, itself: object, variables: Mapping[str, Any]) -> Any:
        """Evaluate as a part of another evaluation, which has called it: with its session, and what its budget has
        left."""
        session = session_of(itself) or caller.session_or_none
        return _evaluate(self, itself, session, variables, caller)


@dataclass(frozen=True, slots=True)
class CompiledAction:
    """Statements that change the model. Call it as a `CompiledQuery`; its value is that of the last statement."""

    expression: TypedExpression
    closure: Closure
    budget: Budget

    may_change: ClassVar[bool] = True

    def __call__(self, itself: object = None, *, session: Session | None = None, **variables: Any) -> Any:
        """Run the statements. Nothing is flushed, since half-made objects could not be saved; nor is it at the end."""
        active = session or session_of(itself)
        if active is None:
            return _evaluate(self, itself, None, variables)
        with active.no_autoflush:
            return _evaluate(self, itself, active, variables)

    def within(self, caller: Evaluation, itself: object, variables: Mapping[str, Any]) -> Any:
        """Run as `CompiledQuery.within`."""
        session = session_of(itself) or caller.session_or_none
        return _evaluate(self, itself, session, variables, caller)


def check(
    parsed: ParsedText, names: Names, self_class: type | None = None, variables: Mapping[str, Type] = NO_VARIABLES
) -> TypedExpression:
    """Check a text against a model, and return it with the types of all its parts. Raises `UnknownName` and
    `WrongType`."""
    return check_with(parsed, names, self_class, variables, table())


def compile_query(
    text: str,
    names: Names,
    self_class: type | None = None,
    *,
    variables: Mapping[str, Type] = NO_VARIABLES,
    dialect: Dialect = "original",
    budget: Budget = DEFAULT_BUDGET,
) -> CompiledQuery:
    """Return an expression as a callable. Raises `BadSyntax`, `UnknownName`, `WrongType`, and `HasEffects` with the
    position of a change."""
    expression = check(parse(text, dialect), names, self_class, variables)
    refuse_effects(expression)
    return CompiledQuery(expression, compiled(expression.tree), budget)


def compile_action(
    text: str,
    names: Names,
    self_class: type | None = None,
    *,
    variables: Mapping[str, Type] = NO_VARIABLES,
    dialect: Dialect = "original",
    budget: Budget = DEFAULT_BUDGET,
) -> CompiledAction:
    """Return statements as a callable. Raises `BadSyntax`, `UnknownName` and `WrongType`."""
    expression = check(parse(text, dialect), names, self_class, variables)
    return CompiledAction(expression, compiled(expression.tree), budget)


def refuse_effects(expression: TypedExpression) -> None:
    """Refuse an expression that would change something. Raises `HasEffects`."""
    effect = first_effect(expression.tree)
    if effect is not None:
        problem = "This changes the model, which only actions and bodies of methods may do."
        raise HasEffects(expression.text, effect.at.start, problem, end=effect.at.end)


def check_result(expression: TypedExpression, expected: Type) -> None:
    """Refuse a text that gives something else than a result of a type. Raises `WrongType`."""
    given, last = expression.tree.type, expression.tree
    while isinstance(last, TypedBlock | LetBinding):
        last = last.statements[-1] if isinstance(last, TypedBlock) else last.body
    if expected != NOTHING and (given == NOTHING or not conforms_loosely(given, expected)):
        problem = f"Its result is declared as {expected}, and this is {given}."
        raise WrongType(expression.text, last.at.start, problem, end=last.at.end)


def _evaluate(
    query: CompiledQuery | CompiledAction,
    itself: object,
    session: Session | None,
    variables: Mapping[str, Any],
    caller: Evaluation | None = None,
) -> Any:
    expression = query.expression
    frame: list[Any] = [None] * expression.slots
    frame[0] = Evaluation(expression.names, session, query.budget, itself, caller, may_change=query.may_change)
    frame[SELF_SLOT] = itself
    if variables or expression.variables:
        _fill_in(expression, frame, variables)
    try:
        value = query.closure(frame)
    except LocatedError as error:
        raise language_error(expression, error) from error.__cause__
    except MethodRaised as raised:
        raise raised.error from raised.error.__cause__
    except RecursionError:
        raise TooMuch(expression.text, 0, "It is nested too deeply, or calls itself without end.") from None
    return list(value) if isinstance(value, list) else value  # its own, not the model's


def _fill_in(expression: TypedExpression, frame: list[Any], variables: Mapping[str, Any]) -> None:
    missing = [name for name in expression.variables if name not in variables]
    unknown = [name for name in variables if name not in expression.variables]
    if missing or unknown:
        raise BadRequest(f"Its variables are {', '.join(expression.variables) or 'none'}, not {', '.join(variables)}.")
    for name, variable in expression.variables.items():
        value = variables[name]
        frame[variable.slot] = list(value) if isinstance(variable.type, CollectionType) else value


def language_error(expression: TypedExpression, error: LocatedError) -> LanguageError:
    """Return an error of an evaluation as a public one, with the text and the position."""
    if isinstance(error, Untranslatable):
        return not_in_sql(expression.text, error)
    start, end = (0, None) if error.at is None else (error.at.start, error.at.end)
    classes: Mapping[type, type[LanguageError]] = {BudgetExhausted: TooMuch, Mutation: HasEffects}
    return classes.get(type(error), CantEvaluate)(expression.text, start, str(error), end=end)


def to_select(
    text: str,
    names: Names,
    self_class: type | None = None,
    *,
    variables: Mapping[str, Type] = NO_VARIABLES,
    values: Mapping[str, Any] = NO_VALUES,
    dialect: Dialect = "original",
) -> Select[Any]:
    """Return an expression (OCLps) as one SELECT: of objects for `Order.allInstances->select(…)`, of a number for
    `…->size`.

    `values` are those of `variables`, and of `self` where there is a `self_class`. A part that depends on no row, such
    as `DateTime.Now.addDays(-7)`, is evaluated now and becomes a parameter. Raises what `compile_query` raises, and
    `NotInSQL` with the part that can't become SQL.
    """
    expression = check(parse(text, dialect), names, self_class, variables)
    refuse_effects(expression)
    return select_of(expression, values)


def to_values(text: str, names: Names, self_class: type, *, dialect: Dialect = "original") -> Select[Any]:
    """Return one SELECT of each object's key and, as `value`, the value of an expression. Raises as `to_select`."""
    expression = check(parse(text, dialect), names, self_class)
    refuse_effects(expression)
    return values_of(expression, {})

"""Expressions as Python callables: checked and compiled once, then run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from afterwork.errors import BadRequest, CantEvaluate, HasEffects, NotInSQL, TooMuch
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
    Untranslatable,
    session_of,
)
from afterwork.language.sql.statement import not_in_sql, select_of, values_of
from afterwork.language.syntax.parse import ParsedText, parse
from afterwork.language.syntax.precedence import Dialect
from afterwork.language.typed.expression import SELF_SLOT, TypedExpression
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import first_effect
from afterwork.language.typed.types import CollectionType, Type

NO_VARIABLES: Mapping[str, Type] = {}
NO_VALUES: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """An expression without side effects. Call it with its self, and by name with its variables."""

    expression: TypedExpression
    closure: Closure
    budget: Budget

    def __call__(self, itself: object = None, *, session: Session | None = None, **variables: Any) -> Any:
        """The value. Collections are lists, tuples named tuples, moments aware.

        It reads through `session`, or through the one that `itself` is in. Raises `CantEvaluate` and `TooMuch`, and
        whatever the methods that it calls raise.
        """
        return _evaluate(self, itself, session, variables)


@dataclass(frozen=True, slots=True)
class CompiledAction:
    """Statements that change the model. Call it as a `Query`; its value is that of the last statement."""

    expression: TypedExpression
    closure: Closure
    budget: Budget

    def __call__(self, itself: object = None, *, session: Session | None = None, **variables: Any) -> Any:
        """Do it. Nothing is flushed meanwhile, since what is half made could not be saved; nor at the end."""
        found = session or session_of(itself)
        if found is None:
            return _evaluate(self, itself, None, variables)
        with found.no_autoflush:
            return _evaluate(self, itself, found, variables)


def check(
    parsed: ParsedText, names: Names, self_class: type | None = None, variables: Mapping[str, Type] = NO_VARIABLES
) -> TypedExpression:
    """What a text means in a model, with the types of all parts. Raises `UnknownName` and `WrongType`."""
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
    """An expression as a callable. Raises `BadSyntax`, `UnknownName`, `WrongType`, and `HasEffects` with the place of
    what would change something."""
    checked = check(parse(text, dialect), names, self_class, variables)
    refuse_effects(checked)
    return CompiledQuery(checked, compiled(checked.tree), budget)


def compile_action(
    text: str,
    names: Names,
    self_class: type | None = None,
    *,
    variables: Mapping[str, Type] = NO_VARIABLES,
    dialect: Dialect = "original",
    budget: Budget = DEFAULT_BUDGET,
) -> CompiledAction:
    """Statements as a callable. Raises `BadSyntax`, `UnknownName` and `WrongType`."""
    checked = check(parse(text, dialect), names, self_class, variables)
    return CompiledAction(checked, compiled(checked.tree), budget)


def refuse_effects(checked: TypedExpression) -> None:
    """Raise `HasEffects` where an expression would change something."""
    effect = first_effect(checked.tree)
    if effect is not None:
        problem = "This changes the model, which only actions and bodies of methods may do."
        raise HasEffects(checked.text, effect.at.start, problem, end=effect.at.end)


def _evaluate(
    query: CompiledQuery | CompiledAction, itself: object, session: Session | None, variables: Mapping[str, Any]
) -> Any:
    checked = query.expression
    frame: list[Any] = [None] * checked.slots
    frame[0] = Evaluation(checked.names, session, query.budget, itself)
    frame[SELF_SLOT] = itself
    if variables or checked.variables:
        _give(checked, frame, variables)
    try:
        value = query.closure(frame)
    except LocatedError as trouble:
        raise language_error(checked, trouble) from trouble.__cause__
    except MethodRaised as passing:
        raise passing.error from passing.error.__cause__
    except RecursionError:
        raise TooMuch(checked.text, 0, "It is nested too deeply for what it is called from.") from None
    return list(value) if isinstance(value, list) else value  # its own, not the model's


def _give(checked: TypedExpression, frame: list[Any], variables: Mapping[str, Any]) -> None:
    missing = [name for name in checked.variables if name not in variables]
    foreign = [name for name in variables if name not in checked.variables]
    if missing or foreign:
        raise BadRequest(f"Its variables are {', '.join(checked.variables) or 'none'}, not {', '.join(variables)}.")
    for name, variable in checked.variables.items():
        value = variables[name]
        frame[variable.slot] = list(value) if isinstance(variable.type, CollectionType) else value


def language_error(checked: TypedExpression, trouble: LocatedError) -> CantEvaluate | TooMuch | NotInSQL:
    """What went wrong, with the text and the place."""
    if isinstance(trouble, Untranslatable):
        return not_in_sql(checked.text, trouble)
    start, end = (0, None) if trouble.at is None else (trouble.at.start, trouble.at.end)
    kind = TooMuch if isinstance(trouble, BudgetExhausted) else CantEvaluate
    return kind(checked.text, start, str(trouble), end=end)


def to_select(
    text: str,
    names: Names,
    self_class: type | None = None,
    *,
    variables: Mapping[str, Type] = NO_VARIABLES,
    values: Mapping[str, Any] = NO_VALUES,
    dialect: Dialect = "original",
) -> Select[Any]:
    """An expression (OCLps) as one SELECT: of objects for `Order.allInstances->select(…)`, of a number for `…->size`.

    `values` are those of `variables`, and of `self` where there is a `self_class`. What depends on no row, such as
    `DateTime.Now.addDays(-7)`, is evaluated now and becomes a parameter. Raises what
    `compile_query` raises, and `NotInSQL` with the part that can't become SQL.
    """
    checked = check(parse(text, dialect), names, self_class, variables)
    refuse_effects(checked)
    return select_of(checked, values)


def to_values(text: str, names: Names, self_class: type, *, dialect: Dialect = "original") -> Select[Any]:
    """The value of an expression for each object of a class, as one SELECT of its key and of `value`. Raises as
    `to_select`."""
    checked = check(parse(text, dialect), names, self_class)
    refuse_effects(checked)
    return values_of(checked, {})

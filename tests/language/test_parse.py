"""Texts become trees by the precedence of their dialect; malformed ones are refused with their position."""

import pytest

from afterwork.errors import BadSyntax
from afterwork.language.syntax.parse import parse
from afterwork.language.syntax.precedence import Dialect
from afterwork.language.syntax.tree import (
    Assign,
    Binary,
    Block,
    If,
    Lambda,
    Let,
    Literal,
    MayRun,
    Name,
    Node,
    TextRange,
    Unary,
)


def shape(node: Node) -> str:
    """Return a tree as text with all its brackets."""
    match node:
        case Binary(operator=operator, left=left, right=right):
            return f"({shape(left)} {operator} {shape(right)})"
        case Assign(target=left, value=right):
            return f"({shape(left)} := {shape(right)})"
        case Unary(operator=operator, operand=operand):
            return f"({operator} {shape(operand)})"
        case Name(name=name):
            return name
        case Literal(value=value):
            return str(value)
    return type(node).__name__


PRECEDENCE = [
    ("a = 1 and b = 2", "((a = (1 and b)) = 2)", "((a = 1) and (b = 2))"),
    ("a or b and c", "((a or b) and c)", "(a or (b and c))"),
    ("a xor b or c", "((a xor b) or c)", "(a xor (b or c))"),
    ("a and b implies c or d", "((a and b) implies (c or d))", "((a and b) implies (c or d))"),
    ("a < b = c > d", "((a < b) = (c > d))", "((a < b) = (c > d))"),
    ("a implies b < c", "((a implies b) < c)", "(a implies (b < c))"),
    ("not a = b", "((not a) = b)", "((not a) = b)"),
    ("not a and b", "((not a) and b)", "((not a) and b)"),
    ("-a + b * c - d", "(((- a) + (b * c)) - d)", "(((- a) + (b * c)) - d)"),
    ("a div b mod c", "((a div b) mod c)", "((a div b) mod c)"),
    ("a + 1 < b * 2", "((a + 1) < (b * 2))", "((a + 1) < (b * 2))"),
    ("a := b := c = d", "(a := (b := (c = d)))", "(a := (b := (c = d)))"),
    ("A AND b Or c", "((A and b) or c)", "((A and b) or c)"),
]


@pytest.mark.parametrize(("text", "original", "omg"), PRECEDENCE)
def test_each_dialect_has_its_precedence(text: str, original: str, omg: str) -> None:
    assert shape(parse(text).tree) == original
    assert shape(parse(text, "omg").tree) == omg


@pytest.mark.parametrize(("text", "original", "omg"), PRECEDENCE)
def test_there_is_a_warning_exactly_where_the_dialects_differ(text: str, original: str, omg: str) -> None:
    warnings = parse(text).warnings

    assert bool(warnings) == (original != omg)
    assert all(warning.at == TextRange(0, len(text)) for warning in warnings)


def test_brackets_make_both_dialects_agree() -> None:
    assert parse("(a = 1) and (b = 2)").warnings == ()


def test_let_reaches_as_far_as_it_can() -> None:
    tree = parse("let x = 1 in x + 2").tree

    assert isinstance(tree, Let)
    assert shape(tree.body) == "(x + 2)"


def test_the_statements_of_the_blog_post_are_parsed() -> None:
    tree = parse(
        "let ticket=SysAsyncTicket.Create in (ticket.RootObject:=self; ticket.ViewModel:=Customer.ViewModels.Assigner)"
    ).tree

    assert isinstance(tree, Let)
    assert isinstance(tree.body, Block)
    assert [type(statement) for statement in tree.body.statements] == [Assign, Assign]


def test_the_question_for_a_method_may_stand_wherever_an_expression_may() -> None:
    tree = parse("if self.End? then self.End else false endif").tree

    assert isinstance(tree, If)
    assert isinstance(tree.condition, MayRun)


def test_a_lambda_may_have_several_statements() -> None:
    tree = parse("self.items->collect(m | m.A := 1; m.B := 2)").tree
    (each,) = tree.arguments  # type: ignore[attr-defined]

    assert isinstance(each, Lambda)
    assert isinstance(each.body, Block)


def test_keywords_may_be_names_after_a_dot() -> None:
    assert parse("self.not.let->in").warnings == ()


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("", 1, 1, "It ends too early; an expression belongs here"),
        ("self.", 1, 6, "It ends too early; expected a name"),
        ("a +\n  * b", 2, 3, "'*' can't stand here"),
        ("a; b;", 1, 6, "It ends too early"),
        ("'abc", 1, 1, "has no end"),
        ("if a then b endif endif", 1, 19, "'endif' can't stand here"),
        ("a $ b", 1, 3, "'$' means nothing here"),
        ("f(1 + 2 | a)", 1, 3, "stand the names of variables"),
        ("Set{a : Integer = 1}", 1, 5, "Only a Tuple has named parts"),
        ("Tuple{1}", 1, 7, "name = value"),
        ("1234567890123456789", 1, 1, "at most 18 digits"),
        ("+".join("1" * 200), 1, 1, "nested too deeply"),
        ("a" * 30_000, 1, 20001, "too long"),
    ],
)
def test_a_malformed_expression_is_refused_with_its_position(text: str, line: int, column: int, problem: str) -> None:
    with pytest.raises(BadSyntax) as caught:
        parse(text)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert problem in str(caught.value)


def test_an_error_draws_a_caret_under_its_position() -> None:
    with pytest.raises(BadSyntax) as caught:
        parse("self.Orders\n  ->exists(o | )")

    assert str(caught.value).splitlines()[1:] == ["      ->exists(o | )", "                   ^"]


@pytest.mark.parametrize("dialect", ["original", "omg"])
def test_a_text_is_parsed_once(dialect: Dialect) -> None:
    assert parse("self.read_once", dialect) is parse("self.read_once", dialect)

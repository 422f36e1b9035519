"""Conversions of texts: numbers, URLs, HTML, JSON and patterns."""

import html
import json
import re
import urllib.parse
from decimal import Decimal, InvalidOperation
from typing import Any

from afterwork.language.run.evaluation import Evaluation
from afterwork.language.run.number_format import Number, format_number
from afterwork.language.run.regexp import matches, parse_pattern
from afterwork.language.run.values import text_of
from afterwork.language.typed.operator import EvaluationFunction, Operator, ValueFunction


def whole_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\s*[-+]?[0-9]{1,18}\s*", text) else None


def decimal_number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 100 else None


def needed(value: Any, text: str, type_: str) -> Any:
    if value is None:
        raise ValueError(f"{text[:40]!r} is no {type_}.")
    return value


def like_pattern(evaluation: Evaluation, text: str, pattern: str) -> bool:
    steps = parse_pattern(pattern)
    evaluation.spend(len(text) * len(steps))
    return matches(text, steps)


def number_as(evaluation: Evaluation, number: Number, pattern: str) -> str:
    evaluation.spend(len(pattern))
    return format_number(number, pattern)


def json_property(text: str, name: str) -> str | None:
    """Return a property as text, and as JSON if it is no text; null where there is no such property."""
    try:
        document: Any = json.loads(text)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None
    if not isinstance(document, dict) or document.get(name) is None:
        return None
    value = document[name]
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else text_of(value)


OPERATORS = (
    Operator(
        "String.urlEncode : String",
        ValueFunction(lambda text: urllib.parse.quote(text, safe="")),
        "The text encoded as a part of a URL.",
        ("'a b&c'.urlEncode", "'a%20b%26c'"),
    ),
    Operator(
        "String.urlDecode : String",
        ValueFunction(urllib.parse.unquote),
        "The text that `urlEncode` encoded.",
        ("'a%20b'.urlDecode", "'a b'"),
    ),
    Operator(
        "String.htmlEncode : String",
        ValueFunction(html.escape),
        "The text escaped for HTML.",
        ("'a < b'.htmlEncode", "'a &lt; b'"),
    ),
    Operator(
        "String.htmlDecode : String",
        ValueFunction(html.unescape),
        "The text that `htmlEncode` escaped.",
        ("'a &lt; b'.htmlDecode", "'a < b'"),
    ),
    Operator(
        "String.toInteger : Integer",
        ValueFunction(whole_number),
        "The whole number that the text denotes; null if it denotes none.",
        ("'42'.toInteger", "42"),
    ),
    Operator(
        "String.toDecimal : Decimal",
        ValueFunction(decimal_number),
        "The number that the text denotes; null if it denotes none.",
        ("'4.2'.toDecimal", "4.2"),
    ),
    Operator(
        "N.toString(String) : String",
        EvaluationFunction(number_as),
        "The number in one of .NET's formats: `D4`, `F2`, `N0`, `P1`, `X`, or a picture such as `000`, `#,##0.00` "
        "and `0.0%`.",
        ("7.toString('000')", "'007'"),
    ),
    Operator(
        "Type(Integer).parse(String) : Integer",
        ValueFunction(lambda type_, text: needed(whole_number(text), text, "Integer")),
        "The whole number that a text denotes; any other text is an error.",
        ("Integer.parse('42')", "42"),
    ),
    Operator(
        "Type(Integer).tryParse(String) : Integer",
        ValueFunction(lambda type_, text: whole_number(text)),
        "As `parse`, but null for any other text.",
        ("Integer.tryParse('x')", "null"),
    ),
    Operator(
        "Type(Decimal).parse(String) : Decimal",
        ValueFunction(lambda type_, text: needed(decimal_number(text), text, "Decimal")),
        "The number that a text denotes; any other text is an error.",
        ("Decimal.parse('4.2')", "4.2"),
    ),
    Operator(
        "Type(Decimal).tryParse(String) : Decimal",
        ValueFunction(lambda type_, text: decimal_number(text)),
        "As `parse`, but null for any other text.",
        ("Decimal.tryParse('x')", "null"),
    ),
    Operator(
        "String.regExpMatch(String) : Boolean",
        EvaluationFunction(like_pattern),
        "True if a part of the text matches a pattern: `. [a-z] [^a-z] \\d \\w \\s ^ $ ( ) * + ? {m,n}`, and `|` "
        "between alternatives. The lengths of both bound the time.",
        ("'AB-12'.regExpMatch('^[A-Z]+-[0-9]{2}$')", "true"),
    ),
    Operator(
        "String.jsonGetProp(String) : String",
        ValueFunction(json_property),
        "A property of a JSON object as text, objects and arrays as JSON; null if there is none.",
        ("'{\"id\": 7}'.jsonGetProp('id')", "'7'"),
    ),
)

"""Texts in a form of their own: numbers, addresses, HTML, JSON, patterns."""

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
        found = Decimal(text.strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found.adjusted()) < 100 else None


def needed(found: Any, text: str, kind: str) -> Any:
    if found is None:
        raise ValueError(f"{text[:40]!r} is no {kind}.")
    return found


def like_pattern(run: Evaluation, text: str, pattern: str) -> bool:
    steps = parse_pattern(pattern)
    run.spend(len(text) * len(steps))
    return matches(text, steps)


def number_as(run: Evaluation, number: Number, pattern: str) -> str:
    run.spend(len(pattern))
    return format_number(number, pattern)


def json_property(text: str, name: str) -> str | None:
    """As a text, what is no text as JSON; null where there is no such property."""
    try:
        found: Any = json.loads(text)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None
    if not isinstance(found, dict) or found.get(name) is None:
        return None
    value = found[name]
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else text_of(value)


ROWS = (
    Operator(
        "String.urlEncode : String",
        ValueFunction(lambda text: urllib.parse.quote(text, safe="")),
        "As a part of an address.",
        ("'a b&c'.urlEncode", "'a%20b%26c'"),
    ),
    Operator(
        "String.urlDecode : String",
        ValueFunction(urllib.parse.unquote),
        "What `urlEncode` was given.",
        ("'a%20b'.urlDecode", "'a b'"),
    ),
    Operator(
        "String.htmlEncode : String",
        ValueFunction(html.escape),
        "As text in HTML.",
        ("'a < b'.htmlEncode", "'a &lt; b'"),
    ),
    Operator(
        "String.htmlDecode : String",
        ValueFunction(html.unescape),
        "What `htmlEncode` was given.",
        ("'a &lt; b'.htmlDecode", "'a < b'"),
    ),
    Operator(
        "String.toInteger : Integer",
        ValueFunction(whole_number),
        "The whole number that it is; null if it is none.",
        ("'42'.toInteger", "42"),
    ),
    Operator(
        "String.toDecimal : Decimal",
        ValueFunction(decimal_number),
        "The number that it is; null if it is none.",
        ("'4.2'.toDecimal", "4.2"),
    ),
    Operator(
        "N.toString(String) : String",
        EvaluationFunction(number_as),
        "As .NET's formats write it: `D4`, `F2`, `N0`, `P1`, `X`, or a picture such as `000`, `#,##0.00` and `0.0%`.",
        ("7.toString('000')", "'007'"),
    ),
    Operator(
        "Type(Integer).parse(String) : Integer",
        ValueFunction(lambda kind, text: needed(whole_number(text), text, "Integer")),
        "The whole number that a text is. Another text is an error.",
        ("Integer.parse('42')", "42"),
    ),
    Operator(
        "Type(Integer).tryParse(String) : Integer",
        ValueFunction(lambda kind, text: whole_number(text)),
        "As `parse`, but another text gives null.",
        ("Integer.tryParse('x')", "null"),
    ),
    Operator(
        "Type(Decimal).parse(String) : Decimal",
        ValueFunction(lambda kind, text: needed(decimal_number(text), text, "Decimal")),
        "The number that a text is. Another text is an error.",
        ("Decimal.parse('4.2')", "4.2"),
    ),
    Operator(
        "Type(Decimal).tryParse(String) : Decimal",
        ValueFunction(lambda kind, text: decimal_number(text)),
        "As `parse`, but another text gives null.",
        ("Decimal.tryParse('x')", "null"),
    ),
    Operator(
        "String.regExpMatch(String) : Boolean",
        EvaluationFunction(like_pattern),
        "Whether a part of it is as a pattern says: `. [a-z] [^a-z] \\d \\w \\s ^ $ ( ) * + ? {m,n}`, and `|` between "
        "patterns. It takes no longer than the lengths of both say.",
        ("'AB-12'.regExpMatch('^[A-Z]+-[0-9]{2}$')", "true"),
    ),
    Operator(
        "String.jsonGetProp(String) : String",
        ValueFunction(json_property),
        "A property of the object that it is in JSON, as a text; what has parts as JSON; null if there is none.",
        ("'{\"id\": 7}'.jsonGetProp('id')", "'7'"),
    ),
)

"""Conversions of texts: numbers, URLs, HTML, JSON and patterns."""

import html
import json
import urllib.parse
from typing import Any

from afterwork.language.operators.parsing import decimal_number, whole_number
from afterwork.language.run.evaluation import Evaluation
from afterwork.language.run.number_format import FormattedNumber, format_number
from afterwork.language.run.regexp import matches, parse_pattern
from afterwork.language.run.values import text_of
from afterwork.language.typed.operator import Declare, EvaluationFunction


@Declare("String.urlEncode : String")
def url_encoded(text: str) -> str:
    """The text encoded as a part of a URL. `'a b&c'.urlEncode` = `'a%20b%26c'`"""
    return urllib.parse.quote(text, safe="")


url_decoded = Declare("String.urlDecode : String", "The text that `urlEncode` encoded. `'a%20b'.urlDecode` = `'a b'`")(
    urllib.parse.unquote
)
html_encoded = Declare("String.htmlEncode : String", "The text escaped for HTML. `'a < b'.htmlEncode` = `'a &lt; b'`")(
    html.escape
)
html_decoded = Declare(
    "String.htmlDecode : String", "The text that `htmlEncode` escaped. `'a &lt; b'.htmlDecode` = `'a < b'`"
)(html.unescape)


to_integer = Declare(
    "String.toInteger : Integer",
    "The whole number that the text denotes; null if it denotes none. `'42'.toInteger` = `42`",
)(whole_number)
to_decimal = Declare(
    "String.toDecimal : Decimal", "The number that the text denotes; null if it denotes none. `'4.2'.toDecimal` = `4.2`"
)(decimal_number)


@Declare("N.toString(String) : String", kind=EvaluationFunction)
def number_as(evaluation: Evaluation, number: FormattedNumber, pattern: str) -> str:
    """The number in one of .NET's formats: `D4`, `F2`, `N0`, `P1`, `X`, or a picture such as `000`, `#,##0.00` and
    `0.0%`. `7.toString('000')` = `'007'`"""
    evaluation.spend(len(pattern))
    return format_number(number, pattern)


@Declare("String.regExpMatch(String) : Boolean", kind=EvaluationFunction)
def like_pattern(evaluation: Evaluation, text: str, pattern: str) -> bool:
    r"""True if a part of the text matches a pattern: `. [a-z] [^a-z] \d \w \s ^ $ ( ) * + ? {m,n}`, and `|` between
    alternatives. The lengths of both bound the time. `'AB-12'.regExpMatch('^[A-Z]+-[0-9]{2}$')` = `true`"""
    steps = parse_pattern(pattern)
    evaluation.spend(len(text) * len(steps))
    return matches(text, steps)


@Declare("String.jsonGetProp(String) : String")
def json_property(text: str, name: str) -> str | None:
    """A property of a JSON object as text, objects and arrays as JSON; null if there is none.
    `'{"id": 7}'.jsonGetProp('id')` = `'7'`"""
    try:
        document: Any = json.loads(text)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None
    if not isinstance(document, dict) or document.get(name) is None:
        return None
    value = document[name]
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else text_of(value)

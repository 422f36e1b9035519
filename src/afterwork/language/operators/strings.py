"""Texts. Places are counted from 1; letters are compared by their code points, on every database."""

import re
from typing import Any

from afterwork.language.run.evaluation import Evaluation
from afterwork.language.run.values import text_of
from afterwork.language.sql import columns
from afterwork.language.typed.operator import ColumnTranslation, EvaluationFunction, Operator, ValueFunction

ASCII_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def concatenated(one: Any, other: Any) -> str:
    return text_of(one) + text_of(other)


def part(text: str, first: int, last: int) -> str:
    return text[max(first, 1) - 1 : max(last, 0)]


def replaced(run: Evaluation, text: str, old: str, new: str) -> str:
    if not old:
        return text
    run.check_length(text.count(old) * len(new))
    return text.replace(old, new)


def place_of(text: str, part: str) -> int:
    return text.find(part) + 1


def padded_left(run: Evaluation, text: str, width: int, fill: str = " ") -> str:
    return text.rjust(_width(run, width), _one(fill))


def padded_right(run: Evaluation, text: str, width: int, fill: str = " ") -> str:
    return text.ljust(_width(run, width), _one(fill))


def _width(run: Evaluation, width: int) -> int:
    run.check_length(width)
    return width


def _one(fill: str) -> str:
    if len(fill) != 1:
        raise ValueError("It pads with one character.")
    return fill


def parts(run: Evaluation, text: str, separator: str) -> list[str]:
    run.spend(len(text))
    return text.split(separator) if separator else list(text)


def like(text: str, pattern: str) -> bool:
    """As LIKE does it: % is any text, _ one character. In time that the lengths bound, whatever the pattern."""
    place, where, star, tried = 0, 0, -1, 0
    while place < len(text):
        if where < len(pattern) and pattern[where] == "%":
            star, tried, where = where, place, where + 1
        elif where < len(pattern) and pattern[where] in {"_", text[place]}:
            place, where = place + 1, where + 1
        elif star >= 0:
            tried, where = tried + 1, star + 1
            place = tried
        else:
            return False
    return not pattern[where:].strip("%")


def like_in_run(run: Evaluation, text: str, pattern: str) -> bool:
    run.spend(len(text) * (pattern.count("%") + 1))
    return like(text, pattern)


def like_without_case(run: Evaluation, text: str, pattern: str) -> bool:
    return like_in_run(run, text.translate(ASCII_UPPER), pattern.translate(ASCII_UPPER))


def formatted(run: Evaluation, kind: object, pattern: str, *values: Any) -> str:
    written = [text_of(value) for value in values]
    left = run.budget.length

    def filled(found: re.Match[str]) -> str:
        nonlocal left
        index = int(found[1])
        if index >= len(written):
            raise ValueError(f"There is no value {{{index}}}.")
        left -= len(written[index])
        run.check_length(run.budget.length - left)
        return written[index]

    run.spend(len(pattern))
    return re.sub(r"\{([0-9]{1,3})\}", filled, pattern)


ROWS = (
    Operator(
        "String? + String? : String",
        ValueFunction(concatenated),
        "One after the other. Null is an empty text.",
        ("'a' + null + 'b'", "'ab'"),
        ColumnTranslation(columns.concatenated),
    ),
    Operator(
        "String? + Value? : String",
        ValueFunction(concatenated),
        "A text, and any value as a text.",
        ("'no ' + 1", "'no 1'"),
    ),
    Operator(
        "Value? + String? : String",
        ValueFunction(concatenated),
        "Any value as a text, and a text.",
        ("1 + ' of'", "'1 of'"),
    ),
    Operator(
        "String.concat(String) : String",
        ValueFunction(concatenated),
        "One after the other; null if one is null.",
        ("'a'.concat('b')", "'ab'"),
        ColumnTranslation(columns.joined),
    ),
    Operator(
        "String.length : Integer",
        ValueFunction(len),
        "How many characters it has.",
        ("'abc'.length", "3"),
        ColumnTranslation(columns.length),
    ),
    Operator(
        "String.size : Integer",
        ValueFunction(len),
        "As `length`.",
        ("'abc'.size", "3"),
        ColumnTranslation(columns.length),
    ),
    Operator(
        "String.substring(Integer, Integer) : String",
        ValueFunction(part),
        "From one place to another, both included.",
        ("'hello'.substring(2, 3)", "'el'"),
        ColumnTranslation(columns.part),
    ),
    Operator(
        "String.at(Integer) : String",
        ValueFunction(lambda text, place: part(text, place, place) or None),
        "The character at a place; null if there is none.",
        ("'abc'.at(2)", "'b'"),
    ),
    Operator(
        "String.characters : Sequence(String)",
        ValueFunction(list),
        "Its characters.",
        ("'ab'.characters", "Sequence{'a', 'b'}"),
    ),
    Operator(
        "String.startsWith(String) : Boolean",
        ValueFunction(str.startswith),
        "Whether it begins with another.",
        ("'abc'.startsWith('ab')", "true"),
        ColumnTranslation(columns.starts_with),
    ),
    Operator(
        "String.endsWith(String) : Boolean",
        ValueFunction(str.endswith),
        "Whether it ends with another.",
        ("'abc'.endsWith('bc')", "true"),
        ColumnTranslation(columns.ends_with),
    ),
    Operator(
        "String.contains(String) : Boolean",
        ValueFunction(lambda text, part: part in text),
        "Whether another is in it.",
        ("'abc'.contains('b')", "true"),
        ColumnTranslation(columns.contains),
    ),
    Operator(
        "String.indexOf(String) : Integer",
        ValueFunction(place_of),
        "The first place where another is; 0 if it is not there.",
        ("'abc'.indexOf('c')", "3"),
        ColumnTranslation(columns.place_of),
    ),
    Operator(
        "String.replace(String, String) : String",
        EvaluationFunction(replaced),
        "With another text in place of each part.",
        ("'a-b-c'.replace('-', '+')", "'a+b+c'"),
        ColumnTranslation(columns.replaced),
    ),
    Operator(
        "String.split(String) : Sequence(String)",
        EvaluationFunction(parts),
        "What lies between a separator.",
        ("'a;b'.split(';')", "Sequence{'a', 'b'}"),
    ),
    Operator(
        "String.trim : String",
        ValueFunction(lambda text: text.strip(" ")),
        "Without spaces at both ends.",
        ("' a '.trim", "'a'"),
        ColumnTranslation(columns.trimmed),
    ),
    Operator("String.toUpper : String", ValueFunction(str.upper), "In capital letters.", ("'aé'.toUpper", "'AÉ'")),
    Operator("String.toLower : String", ValueFunction(str.lower), "In small letters.", ("'AÉ'.toLower", "'aé'")),
    Operator(
        "String.toUpperCase : String",
        ValueFunction(str.upper),
        "As `toUpper`; the OMG's name.",
        ("'a'.toUpperCase", "'A'"),
    ),
    Operator(
        "String.toLowerCase : String",
        ValueFunction(str.lower),
        "As `toLower`; the OMG's name.",
        ("'A'.toLowerCase", "'a'"),
    ),
    Operator(
        "String.equalsIgnoreCase(String) : Boolean",
        ValueFunction(lambda one, other: one.casefold() == other.casefold()),
        "Whether two differ in nothing but capitals.",
        ("'Aé'.equalsIgnoreCase('aÉ')", "true"),
    ),
    Operator(
        "String.padLeft(Integer, [String]) : String",
        EvaluationFunction(padded_left),
        "With spaces, or another character, before it up to a length.",
        ("'7'.padLeft(3, '0')", "'007'"),
    ),
    Operator(
        "String.padRight(Integer, [String]) : String",
        EvaluationFunction(padded_right),
        "As `padLeft`, but after it.",
        ("'7'.padRight(3, '0')", "'700'"),
    ),
    Operator(
        "String.sqlLike(String) : Boolean",
        EvaluationFunction(like_in_run),
        "Whether it is like a pattern: `%` any text, `_` one character.",
        ("'hello'.sqlLike('h_l%')", "true"),
        ColumnTranslation(columns.like),
    ),
    Operator(
        "String.sqlLikeCaseInsensitive(String) : Boolean",
        EvaluationFunction(like_without_case),
        "As `sqlLike`, whatever the case of the letters a to z.",
        ("'Hello'.sqlLikeCaseInsensitive('hELL%')", "true"),
        ColumnTranslation(columns.like_without_case),
    ),
    Operator(
        "Type(String).format(String, Value?...) : String",
        EvaluationFunction(formatted),
        "A text with values in place of `{0}`, `{1}` …",
        ("String.format('{0} of {1}', 1, 2)", "'1 of 2'"),
    ),
    Operator(
        "Type(String).isNullOrEmpty(String?) : Boolean",
        ValueFunction(lambda kind, text: not text),
        "Whether a text is null or has no characters.",
        ("String.isNullOrEmpty(null)", "true"),
    ),
)

"""Texts. Positions are counted from 1; letters are compared by their code points, on every database."""

import re
from typing import Any

from afterwork.language.run.evaluation import Evaluation
from afterwork.language.run.values import text_of
from afterwork.language.sql import columns
from afterwork.language.typed.operator import ColumnTranslation, EvaluationFunction, Operator, ValueFunction

ASCII_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def concatenated(left: Any, right: Any) -> str:
    return text_of(left) + text_of(right)


def part(text: str, first: int, last: int) -> str:
    return text[max(first, 1) - 1 : max(last, 0)]


def replaced(evaluation: Evaluation, text: str, old: str, new: str) -> str:
    if not old:
        return text
    evaluation.check_length(text.count(old) * len(new))
    return text.replace(old, new)


def position_of(text: str, part: str) -> int:
    return text.find(part) + 1


def padded_left(evaluation: Evaluation, text: str, width: int, fill: str = " ") -> str:
    return text.rjust(_width(evaluation, width), _single_character(fill))


def padded_right(evaluation: Evaluation, text: str, width: int, fill: str = " ") -> str:
    return text.ljust(_width(evaluation, width), _single_character(fill))


def _width(evaluation: Evaluation, width: int) -> int:
    evaluation.check_length(width)
    return width


def _single_character(fill: str) -> str:
    if len(fill) != 1:
        raise ValueError("It pads with one character.")
    return fill


def parts(evaluation: Evaluation, text: str, separator: str) -> list[str]:
    evaluation.spend(len(text))
    return text.split(separator) if separator else list(text)


def like(text: str, pattern: str) -> bool:
    """Match a pattern as LIKE does: % is any text, _ one character. The lengths bound the time."""
    index, at, star, retry = 0, 0, -1, 0
    while index < len(text):
        if at < len(pattern) and pattern[at] == "%":
            star, retry, at = at, index, at + 1
        elif at < len(pattern) and pattern[at] in {"_", text[index]}:
            index, at = index + 1, at + 1
        elif star >= 0:  # let the last % take one more character
            retry, at = retry + 1, star + 1
            index = retry
        else:
            return False
    return not pattern[at:].strip("%")


def sql_like(evaluation: Evaluation, text: str, pattern: str) -> bool:
    evaluation.spend(len(text) * (pattern.count("%") + 1))
    return like(text, pattern)


def sql_like_without_case(evaluation: Evaluation, text: str, pattern: str) -> bool:
    return sql_like(evaluation, text.translate(ASCII_UPPER), pattern.translate(ASCII_UPPER))


def formatted(evaluation: Evaluation, type_: object, pattern: str, *values: Any) -> str:
    texts = [text_of(value) for value in values]
    remaining = evaluation.budget.length

    def filled(match: re.Match[str]) -> str:
        nonlocal remaining
        index = int(match[1])
        if index >= len(texts):
            raise ValueError(f"There is no value {{{index}}}.")
        remaining -= len(texts[index])
        evaluation.check_length(evaluation.budget.length - remaining)
        return texts[index]

    evaluation.spend(len(pattern))
    return re.sub(r"\{([0-9]{1,3})\}", filled, pattern)


OPERATORS = (
    Operator(
        "String? + String? : String",
        ValueFunction(concatenated),
        "The concatenation; null counts as an empty text.",
        ("'a' + null + 'b'", "'ab'"),
        ColumnTranslation(columns.concatenated),
    ),
    Operator(
        "String? + Value? : String",
        ValueFunction(concatenated),
        "The concatenation of a text with any value as text.",
        ("'no ' + 1", "'no 1'"),
    ),
    Operator(
        "Value? + String? : String",
        ValueFunction(concatenated),
        "The concatenation of any value as text with a text.",
        ("1 + ' of'", "'1 of'"),
    ),
    Operator(
        "String.concat(String) : String",
        ValueFunction(concatenated),
        "The concatenation; null if either is null.",
        ("'a'.concat('b')", "'ab'"),
        ColumnTranslation(columns.joined),
    ),
    Operator(
        "String.length : Integer",
        ValueFunction(len),
        "The number of characters.",
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
        "The characters from one position to another, both included.",
        ("'hello'.substring(2, 3)", "'el'"),
        ColumnTranslation(columns.part),
    ),
    Operator(
        "String.at(Integer) : String",
        ValueFunction(lambda text, position: part(text, position, position) or None),
        "The character at a position; null if there is none.",
        ("'abc'.at(2)", "'b'"),
    ),
    Operator(
        "String.characters : Sequence(String)",
        ValueFunction(list),
        "The characters of the text.",
        ("'ab'.characters", "Sequence{'a', 'b'}"),
    ),
    Operator(
        "String.startsWith(String) : Boolean",
        ValueFunction(str.startswith),
        "True if the text begins with another.",
        ("'abc'.startsWith('ab')", "true"),
        ColumnTranslation(columns.starts_with),
    ),
    Operator(
        "String.endsWith(String) : Boolean",
        ValueFunction(str.endswith),
        "True if the text ends with another.",
        ("'abc'.endsWith('bc')", "true"),
        ColumnTranslation(columns.ends_with),
    ),
    Operator(
        "String.contains(String) : Boolean",
        ValueFunction(lambda text, part: part in text),
        "True if the text contains another.",
        ("'abc'.contains('b')", "true"),
        ColumnTranslation(columns.contains),
    ),
    Operator(
        "String.indexOf(String) : Integer",
        ValueFunction(position_of),
        "The first position of another text; 0 if there is none.",
        ("'abc'.indexOf('c')", "3"),
        ColumnTranslation(columns.position_of),
    ),
    Operator(
        "String.replace(String, String) : String",
        EvaluationFunction(replaced),
        "The text with each occurrence of a part replaced.",
        ("'a-b-c'.replace('-', '+')", "'a+b+c'"),
        ColumnTranslation(columns.replaced),
    ),
    Operator(
        "String.split(String) : Sequence(String)",
        EvaluationFunction(parts),
        "The parts between the occurrences of a separator.",
        ("'a;b'.split(';')", "Sequence{'a', 'b'}"),
    ),
    Operator(
        "String.trim : String",
        ValueFunction(lambda text: text.strip(" ")),
        "The text without spaces at both ends.",
        ("' a '.trim", "'a'"),
        ColumnTranslation(columns.trimmed),
    ),
    Operator("String.toUpper : String", ValueFunction(str.upper), "The text in upper case.", ("'aé'.toUpper", "'AÉ'")),
    Operator("String.toLower : String", ValueFunction(str.lower), "The text in lower case.", ("'AÉ'.toLower", "'aé'")),
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
        ValueFunction(lambda left, right: left.casefold() == right.casefold()),
        "True if the texts differ at most in case.",
        ("'Aé'.equalsIgnoreCase('aÉ')", "true"),
    ),
    Operator(
        "String.padLeft(Integer, [String]) : String",
        EvaluationFunction(padded_left),
        "The text padded on the left to a length, with spaces or another character.",
        ("'7'.padLeft(3, '0')", "'007'"),
    ),
    Operator(
        "String.padRight(Integer, [String]) : String",
        EvaluationFunction(padded_right),
        "As `padLeft`, on the right.",
        ("'7'.padRight(3, '0')", "'700'"),
    ),
    Operator(
        "String.sqlLike(String) : Boolean",
        EvaluationFunction(sql_like),
        "True if the text matches a pattern: `%` for any text, `_` for one character.",
        ("'hello'.sqlLike('h_l%')", "true"),
        ColumnTranslation(columns.like),
    ),
    Operator(
        "String.sqlLikeCaseInsensitive(String) : Boolean",
        EvaluationFunction(sql_like_without_case),
        "As `sqlLike`, ignoring the case of the letters a to z.",
        ("'Hello'.sqlLikeCaseInsensitive('hELL%')", "true"),
        ColumnTranslation(columns.like_without_case),
    ),
    Operator(
        "Type(String).format(String, Value?...) : String",
        EvaluationFunction(formatted),
        "The text with values in place of `{0}`, `{1}` …",
        ("String.format('{0} of {1}', 1, 2)", "'1 of 2'"),
    ),
    Operator(
        "Type(String).isNullOrEmpty(String?) : Boolean",
        ValueFunction(lambda type_, text: not text),
        "True if the text is null or empty.",
        ("String.isNullOrEmpty(null)", "true"),
    ),
)

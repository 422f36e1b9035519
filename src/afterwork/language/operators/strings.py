"""Texts. Positions are counted from 1; letters are compared by their code points, on every database."""

import re
from typing import Any

from afterwork.language.run.evaluation import Evaluation
from afterwork.language.run.values import text_of
from afterwork.language.sql import columns, dialects
from afterwork.language.typed.operator import Declare, EvaluationFunction

ASCII_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _concatenated(left: Any, right: Any) -> str:
    return text_of(left) + text_of(right)


AS_TEXTS = "The concatenation; null counts as an empty text. `'a' + null + 'b'` = `'ab'`"
TEXT_AND_VALUE = "The concatenation of a text with any value as text. `'no ' + 1` = `'no 1'`"
VALUE_AND_TEXT = "The concatenation of any value as text with a text. `1 + ' of'` = `'1 of'`"
NULL_AS_NULL = "The concatenation; null if either is null. `'a'.concat('b')` = `'ab'`"

plus = Declare("String? + String? : String", AS_TEXTS, columns=columns.concatenated)(_concatenated)
plus_value = Declare("Value? + String? : String", VALUE_AND_TEXT)(
    Declare("String? + Value? : String", TEXT_AND_VALUE)(_concatenated)
)
concat = Declare("String.concat(String) : String", NULL_AS_NULL, columns=columns.joined)(_concatenated)

length = Declare("String.size : Integer", "As `length`. `'abc'.size` = `3`")(
    Declare("String.length : Integer", "The number of characters. `'abc'.length` = `3`", columns=columns.length)(len)
)


def _part(text: str, first: int, last: int) -> str:
    return text[max(first, 1) - 1 : max(last, 0)]


PART = "The characters from one position to another, both included. `'hello'.substring(2, 3)` = `'el'`"

part = Declare("String.substring(Integer, Integer) : String", PART, columns=columns.part)(_part)


@Declare("String.at(Integer) : String")
def at(text: str, position: int) -> str | None:
    """The character at a position; null if there is none. `'abc'.at(2)` = `'b'`"""
    return _part(text, position, position) or None


CHARACTERS = "The characters of the text. `'ab'.characters` = `Sequence{'a', 'b'}`"
STARTS = "True if the text begins with another. `'abc'.startsWith('ab')` = `true`"
ENDS = "True if the text ends with another. `'abc'.endsWith('bc')` = `true`"

characters = Declare("String.characters : Sequence(String)", CHARACTERS)(list)
starts_with = Declare("String.startsWith(String) : Boolean", STARTS, columns=columns.starts_with)(str.startswith)
ends_with = Declare("String.endsWith(String) : Boolean", ENDS, columns=columns.ends_with)(str.endswith)


@Declare("String.contains(String) : Boolean", columns=columns.contains)
def contains(text: str, part: str) -> bool:
    """True if the text contains another. `'abc'.contains('b')` = `true`"""
    return part in text


@Declare("String.indexOf(String) : Integer", columns=columns.position_of)
def position_of(text: str, part: str) -> int:
    """The first position of another text; 0 if there is none. `'abc'.indexOf('c')` = `3`"""
    return text.find(part) + 1


@Declare("String.replace(String, String) : String", kind=EvaluationFunction, columns=dialects.replaced)
def replaced(evaluation: Evaluation, text: str, old: str, new: str) -> str:
    """The text with each occurrence of a part replaced. `'a-b-c'.replace('-', '+')` = `'a+b+c'`"""
    if not old:
        return text
    evaluation.check_length(text.count(old) * len(new))
    return text.replace(old, new)


@Declare("String.split(String) : Sequence(String)", kind=EvaluationFunction)
def parts(evaluation: Evaluation, text: str, separator: str) -> list[str]:
    """The parts between the occurrences of a separator. `'a;b'.split(';')` = `Sequence{'a', 'b'}`"""
    evaluation.spend(len(text))
    return text.split(separator) if separator else list(text)


@Declare("String.trim : String", columns=columns.trimmed)
def trimmed(text: str) -> str:
    """The text without spaces at both ends. `' a '.trim` = `'a'`"""
    return text.strip(" ")


upper = Declare("String.toUpperCase : String", "As `toUpper`; the OMG's name. `'a'.toUpperCase` = `'A'`")(
    Declare("String.toUpper : String", "The text in upper case. `'aé'.toUpper` = `'AÉ'`")(str.upper)
)
lower = Declare("String.toLowerCase : String", "As `toLower`; the OMG's name. `'A'.toLowerCase` = `'a'`")(
    Declare("String.toLower : String", "The text in lower case. `'AÉ'.toLower` = `'aé'`")(str.lower)
)


@Declare("String.equalsIgnoreCase(String) : Boolean")
def equals_ignoring_case(left: str, right: str) -> bool:
    """True if the texts differ at most in case. `'Aé'.equalsIgnoreCase('aÉ')` = `true`"""
    return left.casefold() == right.casefold()


@Declare("String.padLeft(Integer, [String]) : String", kind=EvaluationFunction)
def padded_left(evaluation: Evaluation, text: str, width: int, fill: str = " ") -> str:
    """The text padded on the left to a length, with spaces or another character. `'7'.padLeft(3, '0')` = `'007'`"""
    return text.rjust(_width(evaluation, width), _single_character(fill))


@Declare("String.padRight(Integer, [String]) : String", kind=EvaluationFunction)
def padded_right(evaluation: Evaluation, text: str, width: int, fill: str = " ") -> str:
    """As `padLeft`, on the right. `'7'.padRight(3, '0')` = `'700'`"""
    return text.ljust(_width(evaluation, width), _single_character(fill))


def _width(evaluation: Evaluation, width: int) -> int:
    evaluation.check_length(width)
    return width


def _single_character(fill: str) -> str:
    if len(fill) != 1:
        raise ValueError("It pads with one character.")
    return fill


@Declare("String.sqlLike(String) : Boolean", kind=EvaluationFunction, columns=columns.like)
def sql_like(evaluation: Evaluation, text: str, pattern: str) -> bool:
    """True if the text matches a pattern: `%` for any text, `_` for one character. `'hello'.sqlLike('h_l%')` =
    `true`"""
    return _like(evaluation, text, pattern)


@Declare("String.sqlLikeCaseInsensitive(String) : Boolean", kind=EvaluationFunction, columns=columns.like_without_case)
def sql_like_without_case(evaluation: Evaluation, text: str, pattern: str) -> bool:
    """As `sqlLike`, ignoring the case of the letters a to z. `'Hello'.sqlLikeCaseInsensitive('hELL%')` = `true`"""
    return _like(evaluation, text.translate(ASCII_UPPER), pattern.translate(ASCII_UPPER))


def _like(evaluation: Evaluation, text: str, pattern: str) -> bool:
    """Match a pattern as LIKE does: % is any text, _ one character. The lengths bound the time."""
    evaluation.spend(len(text) * (pattern.count("%") + 1))
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


@Declare("Type(String).format(String, Value?...) : String", kind=EvaluationFunction)
def formatted(evaluation: Evaluation, type_: object, pattern: str, *values: Any) -> str:
    """The text with values in place of `{0}`, `{1}` … `String.format('{0} of {1}', 1, 2)` = `'1 of 2'`"""
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


@Declare("Type(String).isNullOrEmpty(String?) : Boolean")
def is_null_or_empty(type_: object, text: str | None) -> bool:
    """True if the text is null or empty. `String.isNullOrEmpty(null)` = `true`"""
    return not text

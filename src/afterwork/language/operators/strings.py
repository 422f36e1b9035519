"""Texts. Places are counted from 1; letters are compared by their code points, on every database."""

import re
from typing import Any

from afterwork.language.run.evaluation import Run
from afterwork.language.run.values import text_of
from afterwork.language.sql import columns
from afterwork.language.typed.operator import Columns, InRun, Operator, Plain

ASCII_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def concatenated(one: Any, other: Any) -> str:
    return text_of(one) + text_of(other)


def part(text: str, first: int, last: int) -> str:
    return text[max(first, 1) - 1 : max(last, 0)]


def replaced(run: Run, text: str, old: str, new: str) -> str:
    if not old:
        return text
    run.room(text.count(old) * len(new))
    return text.replace(old, new)


def place_of(text: str, part: str) -> int:
    return text.find(part) + 1


def padded_left(run: Run, text: str, width: int, fill: str = " ") -> str:
    return text.rjust(_width(run, width), _one(fill))


def padded_right(run: Run, text: str, width: int, fill: str = " ") -> str:
    return text.ljust(_width(run, width), _one(fill))


def _width(run: Run, width: int) -> int:
    run.room(width)
    return width


def _one(fill: str) -> str:
    if len(fill) != 1:
        raise ValueError("It pads with one character.")
    return fill


def parts(run: Run, text: str, separator: str) -> list[str]:
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


def like_in_run(run: Run, text: str, pattern: str) -> bool:
    run.spend(len(text) * (pattern.count("%") + 1))
    return like(text, pattern)


def like_without_case(run: Run, text: str, pattern: str) -> bool:
    return like_in_run(run, text.translate(ASCII_UPPER), pattern.translate(ASCII_UPPER))


def formatted(run: Run, kind: object, pattern: str, *values: Any) -> str:
    written = [text_of(value) for value in values]
    left = run.budget.length

    def filled(found: re.Match[str]) -> str:
        nonlocal left
        index = int(found[1])
        if index >= len(written):
            raise ValueError(f"There is no value {{{index}}}.")
        left -= len(written[index])
        run.room(run.budget.length - left)
        return written[index]

    run.spend(len(pattern))
    return re.sub(r"\{([0-9]{1,3})\}", filled, pattern)


ROWS = (
    Operator(
        "String? + String? : String",
        Plain(concatenated),
        "One after the other. Null is an empty text.",
        ("'a' + null + 'b'", "'ab'"),
        Columns(columns.concatenated),
    ),
    Operator(
        "String? + Value? : String", Plain(concatenated), "A text, and any value as a text.", ("'no ' + 1", "'no 1'")
    ),
    Operator(
        "Value? + String? : String", Plain(concatenated), "Any value as a text, and a text.", ("1 + ' of'", "'1 of'")
    ),
    Operator(
        "String.concat(String) : String",
        Plain(concatenated),
        "One after the other; null if one is null.",
        ("'a'.concat('b')", "'ab'"),
        Columns(columns.joined),
    ),
    Operator(
        "String.length : Integer",
        Plain(len),
        "How many characters it has.",
        ("'abc'.length", "3"),
        Columns(columns.length),
    ),
    Operator("String.size : Integer", Plain(len), "As `length`.", ("'abc'.size", "3"), Columns(columns.length)),
    Operator(
        "String.substring(Integer, Integer) : String",
        Plain(part),
        "From one place to another, both included.",
        ("'hello'.substring(2, 3)", "'el'"),
        Columns(columns.part),
    ),
    Operator(
        "String.at(Integer) : String",
        Plain(lambda text, place: part(text, place, place) or None),
        "The character at a place; null if there is none.",
        ("'abc'.at(2)", "'b'"),
    ),
    Operator(
        "String.characters : Sequence(String)",
        Plain(list),
        "Its characters.",
        ("'ab'.characters", "Sequence{'a', 'b'}"),
    ),
    Operator(
        "String.startsWith(String) : Boolean",
        Plain(str.startswith),
        "Whether it begins with another.",
        ("'abc'.startsWith('ab')", "true"),
        Columns(columns.starts_with),
    ),
    Operator(
        "String.endsWith(String) : Boolean",
        Plain(str.endswith),
        "Whether it ends with another.",
        ("'abc'.endsWith('bc')", "true"),
        Columns(columns.ends_with),
    ),
    Operator(
        "String.contains(String) : Boolean",
        Plain(lambda text, part: part in text),
        "Whether another is in it.",
        ("'abc'.contains('b')", "true"),
        Columns(columns.contains),
    ),
    Operator(
        "String.indexOf(String) : Integer",
        Plain(place_of),
        "The first place where another is; 0 if it is not there.",
        ("'abc'.indexOf('c')", "3"),
        Columns(columns.place_of),
    ),
    Operator(
        "String.replace(String, String) : String",
        InRun(replaced),
        "With another text in place of each part.",
        ("'a-b-c'.replace('-', '+')", "'a+b+c'"),
        Columns(columns.replaced),
    ),
    Operator(
        "String.split(String) : Sequence(String)",
        InRun(parts),
        "What lies between a separator.",
        ("'a;b'.split(';')", "Sequence{'a', 'b'}"),
    ),
    Operator(
        "String.trim : String",
        Plain(lambda text: text.strip(" ")),
        "Without spaces at both ends.",
        ("' a '.trim", "'a'"),
        Columns(columns.trimmed),
    ),
    Operator("String.toUpper : String", Plain(str.upper), "In capital letters.", ("'aé'.toUpper", "'AÉ'")),
    Operator("String.toLower : String", Plain(str.lower), "In small letters.", ("'AÉ'.toLower", "'aé'")),
    Operator(
        "String.toUpperCase : String", Plain(str.upper), "As `toUpper`; the OMG's name.", ("'a'.toUpperCase", "'A'")
    ),
    Operator(
        "String.toLowerCase : String", Plain(str.lower), "As `toLower`; the OMG's name.", ("'A'.toLowerCase", "'a'")
    ),
    Operator(
        "String.equalsIgnoreCase(String) : Boolean",
        Plain(lambda one, other: one.casefold() == other.casefold()),
        "Whether two differ in nothing but capitals.",
        ("'Aé'.equalsIgnoreCase('aÉ')", "true"),
    ),
    Operator(
        "String.padLeft(Integer, [String]) : String",
        InRun(padded_left),
        "With spaces, or another character, before it up to a length.",
        ("'7'.padLeft(3, '0')", "'007'"),
    ),
    Operator(
        "String.padRight(Integer, [String]) : String",
        InRun(padded_right),
        "As `padLeft`, but after it.",
        ("'7'.padRight(3, '0')", "'700'"),
    ),
    Operator(
        "String.sqlLike(String) : Boolean",
        InRun(like_in_run),
        "Whether it is like a pattern: `%` any text, `_` one character.",
        ("'hello'.sqlLike('h_l%')", "true"),
        Columns(columns.like),
    ),
    Operator(
        "String.sqlLikeCaseInsensitive(String) : Boolean",
        InRun(like_without_case),
        "As `sqlLike`, whatever the case of the letters a to z.",
        ("'Hello'.sqlLikeCaseInsensitive('hELL%')", "true"),
        Columns(columns.like_without_case),
    ),
    Operator(
        "Type(String).format(String, Value?...) : String",
        InRun(formatted),
        "A text with values in place of `{0}`, `{1}` …",
        ("String.format('{0} of {1}', 1, 2)", "'1 of 2'"),
    ),
    Operator(
        "Type(String).isNullOrEmpty(String?) : Boolean",
        Plain(lambda kind, text: not text),
        "Whether a text is null or has no characters.",
        ("String.isNullOrEmpty(null)", "true"),
    ),
)

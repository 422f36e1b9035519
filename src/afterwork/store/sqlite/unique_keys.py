"""The unique keys of a SQLite table: columns, or expressions of an index."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from afterwork.store.journal.values import quoted

TERMS = 100
"""The maximum number of terms in a row without parentheses. The depth of an expression is limited, usually to 1,000."""

_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] | --[^\n]* | /\*.*?\*/ | \w+ | \s+ | .""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class UniqueTerm:
    """A column, or an expression, for which `column` is None."""

    sql: str
    column: str | None
    collation: str = "BINARY"

    def collides(self, columns: Sequence[str]) -> str:
        """Return the condition that a row t equals the new one here, in a table with these columns."""
        if self.column is None:
            return f"({self.sql}) = {of_new(self.sql, columns)} COLLATE {quoted(self.collation)}"
        return f"t.{self.sql} = NEW.{self.sql} COLLATE {quoted(self.collation)}"


@dataclass(frozen=True)
class UniqueKey:
    """Terms that no two rows share; with a `condition`, no two of the rows that meet it."""

    parts: tuple[UniqueTerm, ...]
    condition: str | None = None

    def collides(self, columns: Sequence[str]) -> str:
        """Return the condition that a row t conflicts with the new one, in a table with these columns."""
        conditions = [part.collides(columns) for part in self.parts]
        if self.condition is not None:
            conditions += [f"({self.condition})", of_new(self.condition, columns)]
        return f"({' AND '.join(conditions)})"


def unique_of(columns: Sequence[tuple[str | None, str]], sql: str | None) -> UniqueKey:
    """Read a unique index: its columns (None for an expression) with their collations, and its CREATE statement."""
    if sql is None:  # SQLite created it for a constraint
        return UniqueKey(tuple(UniqueTerm(quoted(name or ""), name, collation) for name, collation in columns))
    expressions, condition = _taken_apart(sql)
    return UniqueKey(
        tuple(
            UniqueTerm(expression if name is None else quoted(name), name, collation)
            for (name, collation), expression in zip(columns, expressions, strict=True)
        ),
        condition,
    )


def of_new(expression: str, columns: Sequence[str]) -> str:
    """Return an expression for the new row, in which the names of columns stand for its values."""
    words = expression.lower()
    named = [name for name in columns if name.lower() in words or not name.isidentifier()]
    values = ", ".join(f"NEW.{quoted(name)} AS {quoted(name)}" for name in named) or "NULL"
    return f"(SELECT {expression} FROM (SELECT {values}))"


def any_of(conditions: Sequence[str]) -> str:
    """Return the condition that one of these is true, however many they are."""
    return joined_by(" OR ", conditions or ["0"])


def joined_by(operator: str, terms: Sequence[str]) -> str:
    """Join terms by an operator, however many they are."""
    if len(terms) <= TERMS:
        return f"({operator.join(terms)})"
    return joined_by(operator, [joined_by(operator, terms[n : n + TERMS]) for n in range(0, len(terms), TERMS)])


def _taken_apart(sql: str) -> tuple[list[str], str | None]:
    """Return the expressions of an index, and its condition, from its CREATE statement."""
    tokens = _tokens(sql)
    for token in tokens:
        if token == "(":
            break
    parts: list[list[str]] = [[]]
    depth = 1
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if depth == 0:
            break
        if token == "," and depth == 1:
            parts.append([])
        else:
            parts[-1].append(token)
    condition = "".join(tokens).strip()
    return [_without_order(part) for part in parts], condition[len("WHERE") :].strip() or None


def _tokens(sql: str) -> Iterator[str]:
    for token in _TOKEN.findall(sql):
        yield " " if token.startswith(("--", "/*")) else token


def _without_order(tokens: list[str]) -> str:
    expression = "".join(tokens).strip()
    return re.sub(r"\s+(?:asc|desc)$", "", expression, flags=re.IGNORECASE)

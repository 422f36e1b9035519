"""Joins chains of infix operators by their precedence.

The original's table is its documentation's "OCL Precedence rules": comparisons bind weaker than `and` and `or`, so
`a = 1 and b = 2` is `a = (1 and b) = 2`. The OMG's is section 7.4.7 of the OCL 2.4 standard. Both put `:=` last.
Operators of one level go from left to right, `:=` from right to left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from afterwork.language.syntax.tree import TextRange

Dialect = Literal["original", "omg"]
Item = TypeVar("Item")
Precedence = Mapping[str, int]


def _precedence(*levels: str) -> Precedence:
    return {operator: level for level, operators in enumerate(levels) for operator in operators.split()}


@dataclass(frozen=True, slots=True)
class DialectDifference:
    """A part of a text that the original's OCL and the OMG's read differently."""

    at: TextRange
    message: str


ASSIGN = ":="
PRECEDENCES: Mapping[Dialect, Precedence] = {
    "original": _precedence("* / div mod", "+ -", "and or xor", "implies", "< > <= >=", "= <>", ASSIGN),
    "omg": _precedence("* / div mod", "+ -", "< > <= >=", "= <>", "and", "or", "xor", "implies", ASSIGN),
}
"""The level of each operator, by dialect; a smaller level binds stronger."""


def join_chain(
    operands: Sequence[Item],
    operators: Sequence[str],
    precedence: Precedence,
    binary: Callable[[int, Item, Item], Item],
) -> Item:
    """Join a chain of operands into a tree. `binary` takes the index of an operator and its two operands."""
    stack, pending = [operands[0]], list[int]()

    def join_last() -> None:
        right, left = stack.pop(), stack.pop()
        stack.append(binary(pending.pop(), left, right))

    for index, operator in enumerate(operators):
        while pending and _left_binds_first(operators[pending[-1]], operator, precedence):
            join_last()
        pending.append(index)
        stack.append(operands[index + 1])
    while pending:
        join_last()
    return stack[0]


def _left_binds_first(left: str, right: str, precedence: Precedence) -> bool:
    """Return whether the left of two operators takes the operand between them."""
    return precedence[left] < precedence[right] or (precedence[left] == precedence[right] and left != ASSIGN)


def dialects_agree(operators: Sequence[str]) -> bool:
    """Return whether a chain of operators means the same in both dialects."""
    return _grouping(operators, PRECEDENCES["original"]) == _grouping(operators, PRECEDENCES["omg"])


def _grouping(operators: Sequence[str], precedence: Precedence) -> frozenset[tuple[int, int, int]]:
    """Return which operator spans which operands, without the order in which neighbouring parts are joined."""
    spans: list[tuple[int, int, int]] = []

    def note(index: int, left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
        spans.append((index, left[0], right[1]))
        return left[0], right[1]

    join_chain([(index, index) for index in range(len(operators) + 1)], operators, precedence, note)
    return frozenset(spans)

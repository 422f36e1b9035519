"""How operators say what they take and give: `Collection(T)->select(T | Boolean) : Self`.

A small language: the names of types; `Value` for one that is no collection, tuple or type; T, U, V for any type, N for
any number, O for any object's; `State` for the text that names one; `Self` for the source's own type; `?` after what
may be null; `[…]` around what may be left out; `T...` for any number of them; `T | Boolean` for a lambda. `Same(U)` is
the source's kind of collection with other elements, `Gathered(U)` what `collect` makes: a Sequence of an ordered
source, else a Bag, flat.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(r"->|\.\.\.|[A-Za-z]+|<>|<=|>=|[-+*/=<>.()\[\],|:?]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A type with holes: `name` with `inside` in brackets. `nullable` where null is taken, not handed through."""

    name: str
    inside: "tuple[Pattern, ...]" = ()
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A parameter: a value of `pattern`, or, with `variables`, a lambda over them that gives one."""

    pattern: Pattern
    variables: tuple[Pattern, ...] = ()
    optional: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """`text` is how it is written; `mark` is `.`, `->`, or `""` for what stands between or before its operands."""

    text: str
    source: Pattern
    mark: str
    name: str
    wanted: tuple[Wanted, ...]
    result: Pattern

    @property
    def least(self) -> int:
        """How many arguments it needs."""
        return sum(not (one.optional or one.repeated) for one in self.wanted)

    @property
    def most(self) -> int:
        """How many arguments it takes."""
        return 1_000 if any(one.repeated for one in self.wanted) else len(self.wanted)


def read(text: str) -> Signature:
    """A signature from its text."""
    return _Reader(text).signature()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = [*TOKEN.findall(text), ""]
        self.place = 0

    def signature(self) -> Signature:
        if self.peek() in {"-", "not"}:  # before its only operand
            name = self.take()
            source, mark, wanted = self.pattern(), "", tuple[Wanted, ...]()
        else:
            source = self.pattern()
            mark = self.take() if self.peek() in {".", "->"} else ""
            name = self.take()
            wanted = self.wanted() if mark else (Wanted(self.pattern()),)
        self.need(":")
        return Signature(self.text, source, mark, name, wanted, self.pattern())

    def pattern(self) -> Pattern:
        name, inside = self.take(), list[Pattern]()
        if self.peek() == "(":
            self.take()
            inside.append(self.pattern())
            while self.peek() == ",":
                self.take()
                inside.append(self.pattern())
            self.need(")")
        return Pattern(name, tuple(inside), self.took("?"))

    def wanted(self) -> tuple[Wanted, ...]:
        found: list[Wanted] = []
        if not self.took("("):
            return ()
        while not self.took(")"):
            optional = self.took("[")
            found.append(self.parameter(optional))
            if optional:
                self.need("]")
            self.took(",")
        return tuple(found)

    def parameter(self, optional: bool) -> Wanted:
        first = self.pattern()
        if self.took("|"):
            return Wanted(self.pattern(), (first,), optional)
        if self.took("..."):
            return Wanted(first, repeated=True)
        return Wanted(first, optional=optional)

    def peek(self) -> str:
        return self.tokens[self.place]

    def take(self) -> str:
        self.place += 1
        return self.tokens[self.place - 1]

    def took(self, token: str) -> bool:
        found = self.peek() == token
        self.place += found
        return found

    def need(self, token: str) -> None:
        if not self.took(token):
            raise ValueError(f"{self.text!r}: {token!r} belongs before {self.peek()!r}")

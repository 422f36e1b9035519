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
class TypePattern:
    """A type with holes: `name` with `inside` in brackets. `nullable` where null is taken, not handed through."""

    name: str
    inside: "tuple[TypePattern, ...]" = ()
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class ParameterPattern:
    """A parameter: a value of `pattern`, or, with `variables`, a lambda over them that gives one."""

    pattern: TypePattern
    variables: tuple[TypePattern, ...] = ()
    optional: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """`text` is how it is written; `mark` is `.`, `->`, or `""` for what stands between or before its operands."""

    text: str
    source: TypePattern
    mark: str
    name: str
    parameters: tuple[ParameterPattern, ...]
    result: TypePattern

    @property
    def min_arguments(self) -> int:
        """How many arguments it needs."""
        return sum(not (one.optional or one.repeated) for one in self.parameters)

    @property
    def max_arguments(self) -> int:
        """How many arguments it takes."""
        return 1_000 if any(one.repeated for one in self.parameters) else len(self.parameters)


def parse_signature(text: str) -> Signature:
    """A signature from its text."""
    return _SignatureParser(text).signature()


class _SignatureParser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = [*TOKEN.findall(text), ""]
        self.index = 0

    def signature(self) -> Signature:
        if self.peek() in {"-", "not"}:  # before its only operand
            name = self.take()
            source, mark, wanted = self.pattern(), "", tuple[ParameterPattern, ...]()
        else:
            source = self.pattern()
            mark = self.take() if self.peek() in {".", "->"} else ""
            name = self.take()
            wanted = self.parameters() if mark else (ParameterPattern(self.pattern()),)
        self.expect(":")
        return Signature(self.text, source, mark, name, wanted, self.pattern())

    def pattern(self) -> TypePattern:
        name, inside = self.take(), list[TypePattern]()
        if self.peek() == "(":
            self.take()
            inside.append(self.pattern())
            while self.peek() == ",":
                self.take()
                inside.append(self.pattern())
            self.expect(")")
        return TypePattern(name, tuple(inside), self.take_if("?"))

    def parameters(self) -> tuple[ParameterPattern, ...]:
        found: list[ParameterPattern] = []
        if not self.take_if("("):
            return ()
        while not self.take_if(")"):
            optional = self.take_if("[")
            found.append(self.parameter(optional))
            if optional:
                self.expect("]")
            self.take_if(",")
        return tuple(found)

    def parameter(self, optional: bool) -> ParameterPattern:
        first = self.pattern()
        if self.take_if("|"):
            return ParameterPattern(self.pattern(), (first,), optional)
        if self.take_if("..."):
            return ParameterPattern(first, repeated=True)
        return ParameterPattern(first, optional=optional)

    def peek(self) -> str:
        return self.tokens[self.index]

    def take(self) -> str:
        self.index += 1
        return self.tokens[self.index - 1]

    def take_if(self, token: str) -> bool:
        found = self.peek() == token
        self.index += found
        return found

    def expect(self, token: str) -> None:
        if not self.take_if(token):
            raise ValueError(f"{self.text!r}: {token!r} belongs before {self.peek()!r}")

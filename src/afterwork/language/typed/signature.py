"""The signatures of operators: `Collection(T)->select(T | Boolean) : Self`.

A small language: names of types; `Value` for a type that is no collection, tuple or type; T, U, V for any type, N for
any number's, O for any object's; `State` for a text that names a state; `Self` for the type of the source; `?` after an
operand that may be null; `[…]` around an optional one; `T...` for any number of them; `T | Boolean` for a lambda.
`Same(U)` is the source's kind of collection with other elements; `Gathered(U)` is the result of `collect`: a flat
Sequence of an ordered source, else a flat Bag.
"""

import re
from dataclasses import dataclass

MAX_REPEATED_ARGUMENTS = 1_000

TOKEN = re.compile(r"->|\.\.\.|[A-Za-z]+|<>|<=|>=|[-+*/=<>.()\[\],|:?]")


@dataclass(frozen=True, slots=True)
class TypePattern:
    """A type with variables: `name` with `inside` in brackets. A `nullable` one takes null instead of passing it
    through."""

    name: str
    inside: "tuple[TypePattern, ...]" = ()
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class ParameterPattern:
    """A parameter: a value of `pattern`, or, with `variables`, a lambda over them with such a value."""

    pattern: TypePattern
    variables: tuple[TypePattern, ...] = ()
    optional: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """The parsed `text`. `mark` is `.` or `->` after the source, or `""` for infix and prefix operators."""

    text: str
    source: TypePattern
    mark: str
    name: str
    parameters: tuple[ParameterPattern, ...]
    result: TypePattern

    @property
    def patterns(self) -> list[TypePattern]:
        """The pattern of each operand, the source first."""
        return [self.source, *(parameter.pattern for parameter in self.parameters)]

    @property
    def min_arguments(self) -> int:
        """The number of required arguments."""
        return sum(not (parameter.optional or parameter.repeated) for parameter in self.parameters)

    @property
    def max_arguments(self) -> int:
        """The number of arguments that it takes at most."""
        repeated = any(parameter.repeated for parameter in self.parameters)
        return MAX_REPEATED_ARGUMENTS if repeated else len(self.parameters)


def parse_signature(text: str) -> Signature:
    """Parse the text of a signature. Raises `ValueError`."""
    return _SignatureParser(text).signature()


class _SignatureParser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = [*TOKEN.findall(text), ""]
        self.index = 0

    def signature(self) -> Signature:
        if self.peek() in {"-", "not"}:  # before its only operand
            name = self.take()
            source, mark, parameters = self.pattern(), "", tuple[ParameterPattern, ...]()
        else:
            source = self.pattern()
            mark = self.take() if self.peek() in {".", "->"} else ""
            name = self.take()
            parameters = self.parameters() if mark else (ParameterPattern(self.pattern()),)
        self.expect(":")
        return Signature(self.text, source, mark, name, parameters, self.pattern())

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
        parameters: list[ParameterPattern] = []
        if not self.take_if("("):
            return ()
        while not self.take_if(")"):
            optional = self.take_if("[")
            parameters.append(self.parameter(optional))
            if optional:
                self.expect("]")
            self.take_if(",")
        return tuple(parameters)

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
        present = self.peek() == token
        self.index += present
        return present

    def expect(self, token: str) -> None:
        if not self.take_if(token):
            raise ValueError(f"{self.text!r}: {token!r} belongs before {self.peek()!r}")

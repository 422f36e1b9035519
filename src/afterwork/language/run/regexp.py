"""Regular expressions in time that the lengths of text and pattern bound, whatever they are.

Python's own try one way after the other, which a short pattern can make endless. Here all ways go on at once, through
the text but once; so there is nothing that refers back to what was matched. Written are characters, `.`, `[a-z]`,
`[^a-z]`, `\\d`, `\\w`, `\\s` and their capitals, `^`, `$`, `|`, groups, `*`, `+`, `?` and `{m,n}`.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

MOST_STEPS = 2_000
"""Steps that a pattern may have; `{m,n}` writes out what stands before it. And characters."""

DEEPEST = 50
"""How deep groups may stand in groups."""

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class One:
    """One character that meets a test."""

    test: Test


@dataclass(frozen=True, slots=True)
class Fork:
    """Goes on at all of several steps, counted from here."""

    ways: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Border:
    """Goes on at the beginning of the text, or at its end."""

    at_end: bool


Steps = tuple[One | Fork | Border, ...]
CLASSES: dict[str, Test] = {"d": str.isdecimal, "s": str.isspace, "w": lambda one: one.isalnum() or one == "_"}
CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}


@functools.lru_cache(maxsize=256)
def steps_of(pattern: str) -> Steps:
    """A pattern as steps. Raises `ValueError` with what is wrong in it."""
    return _Reader(pattern).all()


def matches(text: str, steps: Steps) -> bool:
    """Whether the text, or a part of it, is as the steps say."""
    alive: set[int] = set()
    for place in range(len(text) + 1):
        reached = _reached(steps, {*alive, 0}, place == 0, place == len(text))
        if len(steps) in reached:
            return True
        if place < len(text):
            alive = {index + 1 for index in reached if _takes(steps[index], text[place])}
    return False


def _takes(step: One | Fork | Border, character: str) -> bool:
    return isinstance(step, One) and step.test(character)


def _reached(steps: Steps, begin: set[int], first: bool, last: bool) -> set[int]:
    """All steps that can be reached without a character."""
    reached, waiting = set(begin), list(begin)
    while waiting:
        index = waiting.pop()
        match steps[index] if index < len(steps) else None:
            case Fork(ways=ways):
                further = {index + way for way in ways}
            case Border(at_end=at_end) if last if at_end else first:
                further = {index + 1}
            case _:
                continue
        waiting.extend(further - reached)
        reached |= further
    return reached


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.place = 0
        self.depth = 0

    def all(self) -> Steps:
        found = self.either()
        if self.place < len(self.pattern):
            raise self.wrong("this bracket was never opened")
        return found

    def either(self) -> Steps:
        found = self.sequence()
        while self.took("|"):
            other = self.sequence()
            found = self.short((Fork((1, len(found) + 2)), *found, Fork((len(other) + 1,)), *other))
        return found

    def sequence(self) -> Steps:
        found: Steps = ()
        while self.place < len(self.pattern) and self.pattern[self.place] not in "|)":
            found = self.short((*found, *self.repeated()))
        return found

    def short(self, steps: Steps) -> Steps:
        """Steps that are not too many."""
        if len(steps) > MOST_STEPS or len(self.pattern) > MOST_STEPS:
            raise self.wrong(f"it has more than {MOST_STEPS:,} steps")
        return steps

    def repeated(self) -> Steps:
        found = self.single()
        while True:
            counted = re.compile(r"\{(\d{1,4})(,?)(\d{0,4})\}").match(self.pattern, self.place)
            if counted:
                self.place = counted.end()
                found = self.times(found, int(counted[1]), counted[3] if counted[2] else counted[1])
            elif self.took("*"):
                found = (Fork((1, len(found) + 2)), *found, Fork((-len(found) - 1,)))
            elif self.took("+"):
                found = (*found, Fork((-len(found), 1)))
            elif self.took("?"):  # behind another sign, it says which match is meant: here any is
                found = (Fork((1, len(found) + 1)), *found)
            else:
                return found

    def times(self, once: Steps, least: int, most: str) -> Steps:
        if most and int(most) < least:
            raise self.wrong("the second number is the smaller one")
        if (int(most) if most else least + 1) * (len(once) + 1) > MOST_STEPS:
            raise self.wrong(f"it has more than {MOST_STEPS:,} steps")
        if not most:
            return (*once * least, Fork((1, len(once) + 2)), *once, Fork((-len(once) - 1,)))
        return (*once * least, *(Fork((1, len(once) + 1)), *once) * (int(most) - least))

    def single(self) -> Steps:
        sign = self.pattern[self.place]
        self.place += 1
        match sign:
            case "(":
                return self.group()
            case "[":
                return (One(self.one_of()),)
            case ".":
                return (One(lambda one: one != "\n"),)
            case "^" | "$":
                return (Border(sign == "$"),)
            case "\\":
                return (One(self.escaped()),)
            case "*" | "+" | "?":
                raise self.wrong(f"there is nothing before {sign}")
        return (One(sign.__eq__),)

    def group(self) -> Steps:
        if self.took("?") and not self.took(":"):
            raise self.wrong("of groups with ? only (?:…) is known")
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong(f"groups stand more than {DEEPEST} deep")
        found = self.either()
        if not self.took(")"):
            raise self.wrong("a bracket is never closed")
        self.depth -= 1
        return found

    def escaped(self) -> Test:
        if self.place == len(self.pattern):
            raise self.wrong("nothing stands behind the last \\")
        sign = self.pattern[self.place]
        self.place += 1
        if sign.lower() in CLASSES:
            known = CLASSES[sign.lower()]
            return known if sign.islower() else lambda one: not known(one)
        if sign.isalnum() and sign not in CONTROLS:
            raise self.wrong(f"\\{sign} is not known")
        return CONTROLS.get(sign, sign).__eq__

    def one_of(self) -> Test:
        excluded, tests = self.took("^"), list[Test]()
        while not (tests and self.took("]")):
            if self.place >= len(self.pattern):
                raise self.wrong("a [ is never closed")
            tests.append(self.member())
        return lambda one: any(test(one) for test in tests) != excluded

    def member(self) -> Test:
        """One member of a class, or a range."""
        if self.took("\\"):
            return self.escaped()
        first = self.pattern[self.place]
        range_to = self.pattern[self.place + 1 : self.place + 3]
        if len(range_to) == 2 and range_to[0] == "-" and range_to[1] not in "]\\":
            self.place += 3
            return lambda one: first <= one <= range_to[1]
        self.place += 1
        return first.__eq__

    def took(self, sign: str) -> bool:
        found = self.pattern.startswith(sign, self.place)
        self.place += found
        return found

    def wrong(self, why: str) -> ValueError:
        return ValueError(f"{self.pattern[:40]!r} is no pattern: {why} (place {self.place}).")

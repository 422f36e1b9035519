"""Regular expressions in time that the lengths of text and pattern bound, whatever they are.

Python's own try one way after the other, which a short pattern can make endless. Here all ways go on at once, through
the text but once; so there is nothing that refers back to what was matched. Written are characters, `.`, `[a-z]`,
`[^a-z]`, `\\d`, `\\w`, `\\s` and their capitals, `^`, `$`, `|`, groups, `*`, `+`, `?` and `{m,n}`.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_STEPS = 2_000
"""Steps that a pattern may have; `{m,n}` writes out what stands before it. And characters."""

MAX_GROUP_DEPTH = 50
"""How deep groups may stand in groups."""

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class CharacterStep:
    """One character that meets a test."""

    test: Test


@dataclass(frozen=True, slots=True)
class Fork:
    """Goes on at all of several steps, counted from here."""

    offsets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """Goes on at the beginning of the text, or at its end."""

    at_end: bool


PatternSteps = tuple[CharacterStep | Fork | Anchor, ...]
CHARACTER_CLASSES: dict[str, Test] = {
    "d": str.isdecimal,
    "s": str.isspace,
    "w": lambda one: one.isalnum() or one == "_",
}
CONTROL_CHARACTERS = {"n": "\n", "r": "\r", "t": "\t"}


@functools.lru_cache(maxsize=256)
def parse_pattern(pattern: str) -> PatternSteps:
    """A pattern as steps. Raises `ValueError` with what is wrong in it."""
    return _PatternParser(pattern).pattern_steps()


def matches(text: str, steps: PatternSteps) -> bool:
    """Whether the text, or a part of it, is as the steps say."""
    alive: set[int] = set()
    for place in range(len(text) + 1):
        reached = _reached(steps, {*alive, 0}, place == 0, place == len(text))
        if len(steps) in reached:
            return True
        if place < len(text):
            alive = {index + 1 for index in reached if _takes(steps[index], text[place])}
    return False


def _takes(step: CharacterStep | Fork | Anchor, character: str) -> bool:
    return isinstance(step, CharacterStep) and step.test(character)


def _reached(steps: PatternSteps, begin: set[int], first: bool, last: bool) -> set[int]:
    """All steps that can be reached without a character."""
    reached, waiting = set(begin), list(begin)
    while waiting:
        index = waiting.pop()
        match steps[index] if index < len(steps) else None:
            case Fork(offsets=ways):
                further = {index + way for way in ways}
            case Anchor(at_end=at_end) if last if at_end else first:
                further = {index + 1}
            case _:
                continue
        waiting.extend(further - reached)
        reached |= further
    return reached


class _PatternParser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.index = 0
        self.depth = 0

    def pattern_steps(self) -> PatternSteps:
        found = self.alternatives()
        if self.index < len(self.pattern):
            raise self.error("this bracket was never opened")
        return found

    def alternatives(self) -> PatternSteps:
        found = self.sequence()
        while self.take_if("|"):
            other = self.sequence()
            found = self.check_length((Fork((1, len(found) + 2)), *found, Fork((len(other) + 1,)), *other))
        return found

    def sequence(self) -> PatternSteps:
        found: PatternSteps = ()
        while self.index < len(self.pattern) and self.pattern[self.index] not in "|)":
            found = self.check_length((*found, *self.repeated()))
        return found

    def check_length(self, steps: PatternSteps) -> PatternSteps:
        """Steps that are not too many."""
        if len(steps) > MAX_STEPS or len(self.pattern) > MAX_STEPS:
            raise self.error(f"it has more than {MAX_STEPS:,} steps")
        return steps

    def repeated(self) -> PatternSteps:
        found = self.single()
        while True:
            counted = re.compile(r"\{(\d{1,4})(,?)(\d{0,4})\}").match(self.pattern, self.index)
            if counted:
                self.index = counted.end()
                found = self.repeated_times(found, int(counted[1]), counted[3] if counted[2] else counted[1])
            elif self.take_if("*"):
                found = (Fork((1, len(found) + 2)), *found, Fork((-len(found) - 1,)))
            elif self.take_if("+"):
                found = (*found, Fork((-len(found), 1)))
            elif self.take_if("?"):  # behind another sign, it says which match is meant: here any is
                found = (Fork((1, len(found) + 1)), *found)
            else:
                return found

    def repeated_times(self, once: PatternSteps, least: int, most: str) -> PatternSteps:
        if most and int(most) < least:
            raise self.error("the second number is the smaller one")
        if (int(most) if most else least + 1) * (len(once) + 1) > MAX_STEPS:
            raise self.error(f"it has more than {MAX_STEPS:,} steps")
        if not most:
            return (*once * least, Fork((1, len(once) + 2)), *once, Fork((-len(once) - 1,)))
        return (*once * least, *(Fork((1, len(once) + 1)), *once) * (int(most) - least))

    def single(self) -> PatternSteps:
        sign = self.pattern[self.index]
        self.index += 1
        match sign:
            case "(":
                return self.group()
            case "[":
                return (CharacterStep(self.character_set()),)
            case ".":
                return (CharacterStep(lambda one: one != "\n"),)
            case "^" | "$":
                return (Anchor(sign == "$"),)
            case "\\":
                return (CharacterStep(self.escaped()),)
            case "*" | "+" | "?":
                raise self.error(f"there is nothing before {sign}")
        return (CharacterStep(sign.__eq__),)

    def group(self) -> PatternSteps:
        if self.take_if("?") and not self.take_if(":"):
            raise self.error("of groups with ? only (?:…) is known")
        self.depth += 1
        if self.depth > MAX_GROUP_DEPTH:
            raise self.error(f"groups stand more than {MAX_GROUP_DEPTH} deep")
        found = self.alternatives()
        if not self.take_if(")"):
            raise self.error("a bracket is never closed")
        self.depth -= 1
        return found

    def escaped(self) -> Test:
        if self.index == len(self.pattern):
            raise self.error("nothing stands behind the last \\")
        sign = self.pattern[self.index]
        self.index += 1
        if sign.lower() in CHARACTER_CLASSES:
            known = CHARACTER_CLASSES[sign.lower()]
            return known if sign.islower() else lambda one: not known(one)
        if sign.isalnum() and sign not in CONTROL_CHARACTERS:
            raise self.error(f"\\{sign} is not known")
        return CONTROL_CHARACTERS.get(sign, sign).__eq__

    def character_set(self) -> Test:
        excluded, tests = self.take_if("^"), list[Test]()
        while not (tests and self.take_if("]")):
            if self.index >= len(self.pattern):
                raise self.error("a [ is never closed")
            tests.append(self.set_member())
        return lambda one: any(test(one) for test in tests) != excluded

    def set_member(self) -> Test:
        """One member of a class, or a range."""
        if self.take_if("\\"):
            return self.escaped()
        first = self.pattern[self.index]
        range_to = self.pattern[self.index + 1 : self.index + 3]
        if len(range_to) == 2 and range_to[0] == "-" and range_to[1] not in "]\\":
            self.index += 3
            return lambda one: first <= one <= range_to[1]
        self.index += 1
        return first.__eq__

    def take_if(self, sign: str) -> bool:
        found = self.pattern.startswith(sign, self.index)
        self.index += found
        return found

    def error(self, why: str) -> ValueError:
        return ValueError(f"{self.pattern[:40]!r} is no pattern: {why} (place {self.index}).")

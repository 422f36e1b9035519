"""Regular expressions in time bounded by the lengths of text and pattern, whatever they are.

Python's own try one alternative after the other, which a short pattern can make endless. Here all alternatives advance
together, in one pass over the text; so there are no references back to what was matched. Patterns consist of
characters, `.`, `[a-z]`, `[^a-z]`, `\\d`, `\\w`, `\\s` and their capitals, `^`, `$`, `|`, groups, `*`, `+`, `?`
and `{m,n}`.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_STEPS = 2_000
"""The most steps of a pattern, where `{m,n}` repeats what stands before it; also its most characters."""

MAX_GROUP_DEPTH = 50
"""The deepest nesting of groups."""

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class CharacterStep:
    """Matches one character that passes a test."""

    test: Test


@dataclass(frozen=True, slots=True)
class Fork:
    """Continues at several steps, as offsets from here."""

    offsets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """Continues only at the beginning of the text, or at its end."""

    at_end: bool


PatternSteps = tuple[CharacterStep | Fork | Anchor, ...]
CHARACTER_CLASSES: dict[str, Test] = {
    "d": str.isdecimal,
    "s": str.isspace,
    "w": lambda character: character.isalnum() or character == "_",
}
CONTROL_CHARACTERS = {"n": "\n", "r": "\r", "t": "\t"}


@functools.lru_cache(maxsize=256)
def parse_pattern(pattern: str) -> PatternSteps:
    """Parse a pattern. Raises `ValueError` that says what is wrong in it."""
    return _PatternParser(pattern).pattern_steps()


def matches(text: str, steps: PatternSteps) -> bool:
    """Return whether the text, or a part of it, matches."""
    alive: set[int] = set()
    for index in range(len(text) + 1):
        reached = _reached(steps, {*alive, 0}, index == 0, index == len(text))
        if len(steps) in reached:
            return True
        if index < len(text):
            alive = {step + 1 for step in reached if _takes(steps[step], text[index])}
    return False


def _takes(step: CharacterStep | Fork | Anchor, character: str) -> bool:
    return isinstance(step, CharacterStep) and step.test(character)


def _reached(steps: PatternSteps, begin: set[int], first: bool, last: bool) -> set[int]:
    """Return all steps that can be reached without consuming a character."""
    reached, pending = set(begin), list(begin)
    while pending:
        index = pending.pop()
        match steps[index] if index < len(steps) else None:
            case Fork(offsets=offsets):
                further = {index + offset for offset in offsets}
            case Anchor(at_end=at_end) if last if at_end else first:
                further = {index + 1}
            case _:
                continue
        pending.extend(further - reached)
        reached |= further
    return reached


class _PatternParser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.index = 0
        self.depth = 0

    def pattern_steps(self) -> PatternSteps:
        steps = self.alternatives()
        if self.index < len(self.pattern):
            raise self.error("this bracket was never opened")
        return steps

    def alternatives(self) -> PatternSteps:
        steps = self.sequence()
        while self.take_if("|"):
            other = self.sequence()
            steps = self.check_length((Fork((1, len(steps) + 2)), *steps, Fork((len(other) + 1,)), *other))
        return steps

    def sequence(self) -> PatternSteps:
        steps: PatternSteps = ()
        while self.index < len(self.pattern) and self.pattern[self.index] not in "|)":
            steps = self.check_length((*steps, *self.repeated()))
        return steps

    def check_length(self, steps: PatternSteps) -> PatternSteps:
        """Return steps unless there are too many of them."""
        if len(steps) > MAX_STEPS or len(self.pattern) > MAX_STEPS:
            raise self.error(f"it has more than {MAX_STEPS:,} steps")
        return steps

    def repeated(self) -> PatternSteps:
        steps = self.single()
        while True:
            counted = re.compile(r"\{(\d{1,4})(,?)(\d{0,4})\}").match(self.pattern, self.index)
            if counted:
                self.index = counted.end()
                steps = self.repeated_times(steps, int(counted[1]), counted[3] if counted[2] else counted[1])
            elif self.take_if("*"):
                steps = (Fork((1, len(steps) + 2)), *steps, Fork((-len(steps) - 1,)))
            elif self.take_if("+"):
                steps = (*steps, Fork((-len(steps), 1)))
            elif self.take_if("?"):  # after another quantifier, it selects a match; here any match will do
                steps = (Fork((1, len(steps) + 1)), *steps)
            else:
                return steps

    def repeated_times(self, once: PatternSteps, minimum: int, maximum: str) -> PatternSteps:
        if maximum and int(maximum) < minimum:
            raise self.error("the second number is the smaller one")
        if (int(maximum) if maximum else minimum + 1) * (len(once) + 1) > MAX_STEPS:
            raise self.error(f"it has more than {MAX_STEPS:,} steps")
        if not maximum:
            return (*once * minimum, Fork((1, len(once) + 2)), *once, Fork((-len(once) - 1,)))
        return (*once * minimum, *(Fork((1, len(once) + 1)), *once) * (int(maximum) - minimum))

    def single(self) -> PatternSteps:
        sign = self.pattern[self.index]
        self.index += 1
        match sign:
            case "(":
                return self.group()
            case "[":
                return (CharacterStep(self.character_set()),)
            case ".":
                return (CharacterStep(lambda character: character != "\n"),)
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
        steps = self.alternatives()
        if not self.take_if(")"):
            raise self.error("a bracket is never closed")
        self.depth -= 1
        return steps

    def escaped(self) -> Test:
        if self.index == len(self.pattern):
            raise self.error("nothing stands behind the last \\")
        sign = self.pattern[self.index]
        self.index += 1
        if sign.lower() in CHARACTER_CLASSES:
            known = CHARACTER_CLASSES[sign.lower()]
            return known if sign.islower() else lambda character: not known(character)
        if sign.isalnum() and sign not in CONTROL_CHARACTERS:
            raise self.error(f"\\{sign} is not known")
        return CONTROL_CHARACTERS.get(sign, sign).__eq__

    def character_set(self) -> Test:
        excluded, tests = self.take_if("^"), list[Test]()
        while not (tests and self.take_if("]")):
            if self.index >= len(self.pattern):
                raise self.error("a [ is never closed")
            tests.append(self.set_member())
        return lambda character: any(test(character) for test in tests) != excluded

    def set_member(self) -> Test:
        """Return the test of one member of a set, or of a range."""
        if self.take_if("\\"):
            return self.escaped()
        first = self.pattern[self.index]
        range_to = self.pattern[self.index + 1 : self.index + 3]
        if len(range_to) == 2 and range_to[0] == "-" and range_to[1] not in "]\\":
            self.index += 3
            return lambda character: first <= character <= range_to[1]
        self.index += 1
        return first.__eq__

    def take_if(self, sign: str) -> bool:
        present = self.pattern.startswith(sign, self.index)
        self.index += present
        return present

    def error(self, why: str) -> ValueError:
        return ValueError(f"{self.pattern[:40]!r} is no pattern: {why} (place {self.index}).")

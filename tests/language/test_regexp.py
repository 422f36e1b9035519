"""Patterns match what Python's own match, in bounded time."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from afterwork.errors import CantEvaluate, LanguageError
from afterwork.language.query import compile_query
from afterwork.language.run.regexp import MAX_STEPS, CharacterStep, matches, parse_pattern
from tests.support.language.model import Customer, names

SIMPLE = ["a", "b", "é", ".", "[ab]", "[^a]", "[a-b1]", "[]x]", "\\d", "\\W", "\\.", "\\n", "^", "$"]
REPEATS = ["", "*", "+", "?", "*?", "{2}", "{0}", "{1,2}", "{2,}"]


def larger(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    groups = st.builds(lambda group, times: f"({group}){times}", below, st.sampled_from(REPEATS))
    return groups | st.builds(lambda a, b: a + b, below, below) | st.builds(lambda a, b: f"(?:{a}|{b})", below, below)


@given(st.recursive(st.sampled_from(SIMPLE), larger, max_leaves=6), st.text("abé1x.\n", max_size=6))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_a_pattern_matches_what_pythons_own_matches(pattern: str, text: str) -> None:
    """Only `$` differs: here it is the end of the text, and not also before a last line break."""
    assert matches(text, parse_pattern(pattern)) == bool(re.search(pattern.replace("$", r"\Z"), text))


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "(a*)*b", "^(a?){30}a{30}$"])
def test_each_character_visits_each_step_at_most_once(pattern: str) -> None:
    visits: list[str] = []

    def counted(step: Any) -> Any:
        def test(character: str) -> bool:
            visits.append(character)
            return bool(step.test(character))

        return CharacterStep(test) if isinstance(step, CharacterStep) else step

    text, steps = "a" * 200 + "!", parse_pattern(pattern)

    matches(text, tuple(counted(step) for step in steps))

    assert 0 < len(visits) <= len(text) * len(steps)


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "a)",
        "[a",
        "\\",
        "*a",
        "(?i)a",
        "a{3,1}",
        "(a{100}){100}",
        "\\b",
        "a" * (MAX_STEPS + 1),
        "(" * 60 + ")" * 60,
    ],
)
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no pattern"):
        parse_pattern(pattern)


def test_matching_a_long_text_uses_up_the_budget(sqlite: Session) -> None:
    with pytest.raises(LanguageError, match="looks at more than"):
        compile_query("''.padLeft(900000).regExpMatch('(a{100}){10}')", names(), Customer)(session=sqlite)


def test_an_error_in_a_pattern_has_its_position(sqlite: Session) -> None:
    with pytest.raises(CantEvaluate, match=r"column 5: '\(' is no pattern"):
        compile_query("1 + 'x'.regExpMatch('(').caseTrueFalse(1, 2)", names(), Customer)(session=sqlite)

"""Which tickets are meant: what people write, and what it means."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from afterwork.errors import BadRequest
from afterwork.store.tickets.filter import TicketFilter, state_of, written

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", TicketFilter()),
        ("remind", TicketFilter(words=("remind",))),
        ("work:remind root:Customer!42", TicketFilter(work="remind", root="Customer!42")),
        ('error:"no answer" monday', TicketFilter(error="no answer", words=("monday",))),
        ('lane:mail "work:out of paper"', TicketFilter(lane="mail", words=("work:out of paper",))),
        ("ValueError: 17", TicketFilter(words=("ValueError:", "17"))),
        ('root:"Garden!the ""old"" one" "a ""b"', TicketFilter(root='Garden!the "old" one', words=('a "b',))),
        ('root:Garden!a"b"', TicketFilter(root='Garden!a"b"')),
    ],
)
def test_a_filter_is_written_with_qualifiers_and_read_back(text: str, wanted: TicketFilter) -> None:
    assert TicketFilter.read(text) == wanted
    assert TicketFilter.read(str(wanted)) == wanted


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
@example('"')
@example('x"y')
@example("root:Garden!x")
@example(' "" ')
def test_whatever_a_value_is_its_written_form_finds_it(value: str) -> None:
    for wanted in (TicketFilter(root=value, error=value), TicketFilter(words=(value, value))):
        assert TicketFilter.read(str(wanted)) == wanted
    assert TicketFilter.read(written("root", value)) == TicketFilter(root=value)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("job:remind", "Nothing can be searched by 'job:', only by work:, root:, error:, lane:."),
        ("work:a work:b", "work: is there twice"),
    ],
)
def test_what_can_not_be_meant_is_told(text: str, advice: str) -> None:
    with pytest.raises(BadRequest, match=advice.replace(".", r"\.")):
        TicketFilter.read(text)


def test_an_error_is_stronger_than_a_run_and_a_run_than_a_moment() -> None:
    later = NOW + timedelta(hours=1)

    assert state_of(NOW, "bad", None, True, NOW) == "failed"
    assert state_of(NOW, None, None, False, NOW) == "done"
    assert state_of(None, None, later, True, NOW) == "running"
    assert state_of(None, None, later, False, NOW) == "scheduled"
    assert state_of(None, None, NOW, False, NOW) == "waiting"

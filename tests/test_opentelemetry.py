"""Traces: what saves a ticket and what runs it are linked over its row."""

from datetime import timedelta

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import ModelError
from afterwork.ext.opentelemetry import trace
from tests.support import shop
from tests.support.world import World


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base):
    trace_parent: Mapped[str | None]


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    notes: Mapped[str] = mapped_column(default="")

    @aw.method
    def ship(self) -> None:
        self.notes = "shipped"

    @ship.many
    @staticmethod
    def ship_all(parcels: list["Parcel"]) -> None:
        for parcel in parcels:
            parcel.notes = "shipped together"

    @aw.method(external=True)
    def call(self) -> None:
        self.notes = "called"

    @aw.method(retry=aw.Retry(attempts=2, backoff=timedelta(minutes=1)))
    def fail(self) -> None:
        raise ValueError("no")


class Traced:
    """A model on a database, and the spans that have ended."""

    def __init__(self, engine: Engine) -> None:
        self.spans = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.world = World(engine, Base)
        trace(self.world.app, self.provider)

    def save(self, work: str) -> None:
        """Save a ticket within a span named \"request\"."""
        with self.provider.get_tracer("web").start_as_current_span("request"), self.world.session() as session:
            session.add(parcel := Parcel())
            aw.later(getattr(parcel, work))
            session.commit()

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of a name, in the order in which they have ended."""
        return [span for span in self.spans.get_finished_spans() if span.name == name]


@pytest.fixture
def traced(engine: Engine) -> Traced:
    return Traced(engine)


def test_runs_that_are_taken_together_have_a_span_each(traced: Traced) -> None:
    for _ in range(3):
        traced.save("ship")
    ended = traced.world.run()

    assert [parcel.notes for parcel in traced.world.all(Parcel)] == ["shipped together"] * 3
    requests = {request.context.trace_id for request in traced.named("request") if request.context is not None}
    spans = traced.named("Parcel.ship")
    assert {span.context.trace_id for span in spans if span.context is not None} == requests
    runs = {str(span.attributes["afterwork.run"]) for span in spans if span.attributes is not None}
    assert runs == {str(one.run.id) for one in ended}


@pytest.mark.parametrize("work", ["ship", "call"])
def test_the_first_attempt_is_a_child_of_what_saved_its_ticket(traced: Traced, work: str) -> None:
    traced.save(work)
    (ended,) = traced.world.run()

    (request,), (span,) = traced.named("request"), traced.named(f"Parcel.{work}")
    assert span.parent is not None
    assert request.context is not None
    assert (span.parent.span_id, span.parent.trace_id) == (request.context.span_id, request.context.trace_id)
    assert span.attributes == {
        "afterwork.run": str(ended.run.id),
        "afterwork.source": "ticket",
        "afterwork.lane": "main",
        "afterwork.attempt": 1,
        "afterwork.root_id": "Parcel!1",
        "afterwork.ticket": "1",
    }


def test_another_attempt_is_a_trace_of_its_own_with_a_link(traced: Traced) -> None:
    traced.save("fail")
    traced.world.run()
    traced.world.clock.advance(timedelta(hours=1))
    traced.world.run()

    (request,), spans = traced.named("request"), traced.named("Parcel.fail")
    last = spans[-1]
    assert request.context is not None
    assert last.parent is None
    assert [link.context.span_id for link in last.links] == [request.context.span_id]
    assert last.status.status_code is StatusCode.ERROR
    assert [span.parent is not None for span in spans] == [True, False]
    assert [len(span.links) for span in spans] == [0, 1]


def test_a_ticket_that_was_saved_in_no_span_begins_a_trace(traced: Traced) -> None:
    with traced.world.session() as session, session.begin():
        session.add(parcel := Parcel())
        aw.later(parcel.ship)
    traced.world.run()

    (span,) = traced.named("Parcel.ship")
    assert span.parent is None
    assert not span.links


def test_a_ticket_class_without_room_for_a_span_is_refused_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"no attribute trace_parent.*Add it: trace_parent: Mapped"):
        trace(aw.Afterwork(shop.Base))

"""OpenTelemetry: the span of a run belongs to the trace in which its ticket was saved.

    from afterwork.ext.opentelemetry import trace

    class SysAsyncTicket(aw.AsyncTicket, Base):
        trace_parent: Mapped[str | None]

    app = aw.Afterwork(Base)
    trace(app)

The ticket's row carries the span: its attribute `trace_parent` holds the one that was current when it was saved. The
first attempt of a run is a child of that span. A later one comes minutes or days after, so it begins a trace of its
own, with a link to the span.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Tracer, TracerProvider, get_current_span, get_tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import event

from afterwork.app import Afterwork
from afterwork.errors import ModelError
from afterwork.jobs.run import Run

TRACE_PARENT = "traceparent"
"""The key of a span in W3C Trace Context."""

PROPAGATOR = TraceContextTextMapPropagator()


def trace(app: Afterwork, provider: TracerProvider | None = None) -> None:
    """Trace the runs of tickets and timers. Without a provider, the global one is used.

    Call it once, where the application is made, in each process that saves tickets or serves.

    Raises `ModelError` if the ticket class has no attribute `trace_parent`.
    """
    contract = app.model.contract
    if contract.trace_parent is None:
        name = contract.mapper.class_.__name__
        advice = "Add it: trace_parent: Mapped[str | None]"
        raise ModelError([f"{name} has no attribute trace_parent to store a span in. {advice}"])
    attribute = contract.trace_parent.name

    def save_span(mapper: object, connection: object, ticket: Any) -> None:
        if getattr(ticket, attribute) is None:
            carrier: dict[str, str] = {}
            PROPAGATOR.inject(carrier)
            setattr(ticket, attribute, carrier.get(TRACE_PARENT))

    event.listen(contract.mapper, "before_insert", save_span)
    app.around = partial(_in_span, get_tracer("afterwork", version("afterwork"), provider))


@contextmanager
def _in_span(tracer: Tracer, run: Run) -> Iterator[None]:
    saved = Context() if run.trace_parent is None else PROPAGATOR.extract({TRACE_PARENT: run.trace_parent}, Context())
    span = get_current_span(saved).get_span_context()
    is_first = run.attempt == 1
    with tracer.start_as_current_span(
        run.work,
        context=saved if is_first else Context(),
        kind=SpanKind.CONSUMER,
        links=[] if is_first or not span.is_valid else [Link(span)],
        attributes=_attributes(run),
    ):
        yield


def _attributes(run: Run) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        "run": str(run.id),
        "source": run.source,
        "lane": run.lane,
        "attempt": run.attempt,
    }
    if run.root_id is not None:
        attributes["root_id"] = run.root_id
    if run.ticket is not None:
        attributes["ticket"] = str(run.ticket)
    return {f"afterwork.{name}": value for name, value in attributes.items()}

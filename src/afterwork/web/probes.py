"""The routes `/livez`, `/readyz` and `/metrics` for orchestrators and monitoring."""

import dataclasses
import platform
from collections.abc import Iterator, Sequence
from functools import partial

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from afterwork.app import Afterwork
from afterwork.errors import AfterworkError
from afterwork.insight import Gauges, RunTotal
from afterwork.server.health import Sign
from afterwork.store.history import BOUNDS, Histogram
from afterwork.store.tables import SCHEMA_VERSION
from afterwork.version import VERSION
from afterwork.web.page import Site
from afterwork.web.routes import reason


def probe_routes(site: Site) -> list[Route]:
    return [
        Route("/livez", partial(_live, site), methods=["GET"]),
        Route("/readyz", partial(_ready, site), methods=["GET"]),
        Route("/metrics", partial(_metrics, site), methods=["GET"]),
    ]


def _live(site: Site, request: Request) -> Response:
    """Answer whether the process is alive or must be restarted. Queries no database."""
    signs = site.app.loops(site.engine)
    return _answer(request, all(sign.good for sign in signs), signs)


def _ready(site: Site, request: Request) -> Response:
    """Answer whether the process can take work now."""
    health = site.app.health(site.engine)
    return _answer(request, health.ready, health.signs)


def _answer(request: Request, good: bool, signs: Sequence[Sign]) -> Response:
    """Answer with the signs of health. Details of the database are for known visitors only, which most probes are
    not."""
    knows = request.state.identity is not None
    shown = [dataclasses.asdict(sign) if knows else {"name": sign.name, "good": sign.good} for sign in signs]
    return JSONResponse({"ok": good, "signs": shown}, 200 if good else 503, {"cache-control": "no-store"})


def _metrics(site: Site, request: Request) -> Response:
    try:
        return Response(metrics(site.app, site.engine), media_type=CONTENT_TYPE_LATEST)
    except (AfterworkError, SQLAlchemyError) as error:
        return PlainTextResponse(reason(site, error), 503)


RUN_LABELS = ("work", "source")


def metrics(app: Afterwork, engine: Engine) -> bytes:
    """Return all metrics of one database in Prometheus' text format. Raises `NotInstalled` or `WrongSchema`."""
    insight = app.insight(engine)
    registry = CollectorRegistry()
    registry.register(
        MetricsCollector([*_gauges(insight.gauges()), *_run_metrics(insight.totals()), *_process_metrics(engine)])
    )
    return generate_latest(registry)


class MetricsCollector:
    """A collector of metrics that were read once."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)


def _gauges(current: Gauges) -> Iterator[Metric]:
    lanes = {
        "waiting": GaugeMetricFamily("afterwork_tickets_waiting", "Tickets that are due.", labels=["lane"]),
        "oldest": GaugeMetricFamily(
            "afterwork_tickets_oldest_seconds", "Seconds since the first ticket was due.", labels=["lane"]
        ),
        "later": GaugeMetricFamily("afterwork_tickets_later", "Tickets whose time has not come.", labels=["lane"]),
    }
    for lane in current.lanes:
        for name, metric in lanes.items():
            metric.add_metric([lane.lane], getattr(lane, name))
    yield from lanes.values()
    yield GaugeMetricFamily("afterwork_tickets_expired", "Receipts of tickets that came too late.", current.expired)
    yield GaugeMetricFamily("afterwork_caches_stale", "Caches that are stale.", current.stale)
    yield GaugeMetricFamily(
        "afterwork_caches_oldest_seconds", "Seconds since the first of them was due.", current.stale_for
    )
    yield GaugeMetricFamily("afterwork_journal_changes", "Changes that no server has matched.", current.journal)
    yield GaugeMetricFamily("afterwork_journal_oldest_seconds", "The age of the first of them.", current.journal_for)
    yield GaugeMetricFamily("afterwork_servers", "Servers that are running.", current.servers)
    late = GaugeMetricFamily("afterwork_timer_late_seconds", "Timers that should have fired.", labels=["timer"])
    for timer, seconds in current.late.items():
        late.add_metric([timer], seconds)
    yield late
    longest = GaugeMetricFamily(
        "afterwork_longest_transaction_seconds", "The longest open transaction of the database.", labels=["pid"]
    )
    if current.longest is not None:
        longest.add_metric([str(current.longest.pid)], current.longest.seconds)
    yield longest


def _run_metrics(totals: Sequence[RunTotal]) -> Iterator[Metric]:
    runs = CounterMetricFamily("afterwork_runs", "Runs that have ended.", labels=[*RUN_LABELS, "outcome"])
    took = HistogramMetricFamily("afterwork_run_seconds", "Seconds that the code of runs took.", labels=RUN_LABELS)
    latency = HistogramMetricFamily("afterwork_latency_seconds", "From due to done.", labels=RUN_LABELS)
    for total in totals:
        labels, sums = [total.work, total.source], total.sums
        for outcome, count in (("done", sums.done), ("failed", sums.failed), ("put off", sums.put_off)):
            runs.add_metric([*labels, outcome], count)
        took.add_metric(labels, _buckets(sums.took), sums.seconds)
        latency.add_metric(labels, _buckets(sums.latency), None)
    yield from (runs, took, latency)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*map(str, BOUNDS), "+Inf"]
    return [(bound, sum(histogram.counts[: place + 1])) for place, bound in enumerate(bounds)]


def _process_metrics(engine: Engine) -> Iterator[Metric]:
    facts = {"version": VERSION, "python": platform.python_version(), "schema": str(SCHEMA_VERSION)}
    yield InfoMetricFamily("afterwork_build", "The version of this process.", value=facts)
    if isinstance(engine.pool, QueuePool):
        pool = GaugeMetricFamily("afterwork_pool_connections", "Connections of this process.", labels=["state"])
        pool.add_metric(["in use"], engine.pool.checkedout())
        pool.add_metric(["free"], engine.pool.checkedin())
        yield pool

"""The routes `/livez`, `/readyz` and `/metrics` for orchestrators and monitoring."""

import asyncio
import dataclasses
import platform
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
from afterwork.events import SourceKind
from afterwork.insight import Gauges, RunTotal
from afterwork.insight.gauges import LaneGauge
from afterwork.model.inspection import ModelInfo
from afterwork.model.lane import MAIN, PARALLEL
from afterwork.model.machine.state_scope import base_of
from afterwork.server.health import Sign
from afterwork.store.history import BOUNDS, Histogram, Sums
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


async def _live(site: Site, request: Request) -> Response:
    """Answer whether the process is alive or must be restarted. Needs no database, and no thread that a page holds."""
    signs = site.app.loops(site.engine)
    return _answer(request, all(sign.good for sign in signs), signs)


async def _ready(site: Site, request: Request) -> Response:
    """Answer whether the process can take work now, on a thread that no page can hold."""
    health = await asyncio.to_thread(site.app.health, site.engine)
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

OTHER = "(other)"
"""The label of works and lanes that the model does not name. Anybody who writes tickets can name any number of these,
and each would be a series that Prometheus keeps for ever."""


def metrics(app: Afterwork, engine: Engine) -> bytes:
    """Return all metrics of one database in Prometheus' text format. Raises `NotInstalled` or `WrongSchema`."""
    insight = app.insight(engine)
    registry = CollectorRegistry()
    registry.register(
        MetricsCollector(
            [
                *_gauges(insight.gauges(), app.model),
                *_run_metrics(_by_known_work(insight.totals(), app.model)),
                *_process_metrics(engine),
            ]
        )
    )
    return generate_latest(registry)


def _by_known_work(totals: Sequence[RunTotal], model: ModelInfo) -> Sequence[RunTotal]:
    """Return the sums of the model's works, and of all others together."""
    known, sums = model.work_names, dict[tuple[str, SourceKind], Sums]()
    for total in totals:
        label = total.work if total.work in known else base_of(total.work)
        key = label if label in known else OTHER, total.source
        sums[key] = sums.get(key, Sums()) + total.sums
    return [RunTotal(*key, its) for key, its in sums.items()]


def _by_known_lane(lanes: Sequence[LaneGauge], model: ModelInfo) -> Mapping[str, Sequence[LaneGauge]]:
    """Return the gauges of the model's lanes by name, and those of all others together."""
    known = {MAIN, PARALLEL, *model.lane_names, *model.lanes}
    grouped = defaultdict[str, list[LaneGauge]](list)
    for lane in lanes:
        grouped[lane.lane if lane.lane in known else OTHER].append(lane)
    return grouped


class MetricsCollector:
    """A collector of metrics that were read once."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)


def _gauges(current: Gauges, model: ModelInfo) -> Iterator[Metric]:
    lanes = {
        "waiting": GaugeMetricFamily("afterwork_tickets_waiting", "Tickets that are due.", labels=["lane"]),
        "oldest": GaugeMetricFamily(
            "afterwork_tickets_oldest_seconds", "Seconds since the first ticket was due.", labels=["lane"]
        ),
        "later": GaugeMetricFamily("afterwork_tickets_later", "Tickets whose time has not come.", labels=["lane"]),
    }
    for label, own in _by_known_lane(current.lanes, model).items():
        lanes["waiting"].add_metric([label], sum(lane.waiting for lane in own))
        lanes["oldest"].add_metric([label], max(lane.oldest for lane in own))
        lanes["later"].add_metric([label], sum(lane.later for lane in own))
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
    longest = GaugeMetricFamily("afterwork_longest_transaction_seconds", "The longest open transaction.", labels=[])
    if current.longest is not None:
        longest.add_metric([], current.longest.seconds)
    yield longest


def _run_metrics(totals: Sequence[RunTotal]) -> Iterator[Metric]:
    runs = CounterMetricFamily("afterwork_runs", "Runs that have ended.", labels=[*RUN_LABELS, "outcome"])
    took = HistogramMetricFamily("afterwork_run_seconds", "Seconds that the code of runs took.", labels=RUN_LABELS)
    latency = HistogramMetricFamily("afterwork_latency_seconds", "From due to done.", labels=RUN_LABELS)
    for total in totals:
        labels, sums = [total.work, total.source], total.sums
        for outcome, count in (("done", sums.done), ("failed", sums.failed), ("put_off", sums.put_off)):
            runs.add_metric([*labels, outcome], count)
        took.add_metric(labels, _buckets(sums.took), sums.seconds)
        latency.add_metric(labels, _buckets(sums.latency), sums.latency.seconds)
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

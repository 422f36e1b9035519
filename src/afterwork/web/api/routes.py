"""The routes of the API: what `Insight` reads, and what `Control` does."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import BaseModel

from afterwork.control import NAMED_ACTS, TICKET_ACTS, ActResult, NamedAct, TicketAct
from afterwork.derived.explain.explanation import CacheState
from afterwork.insight import (
    CacheLine,
    Count,
    FailureGroup,
    Finding,
    Insight,
    ListPage,
    Overview,
    TicketPage,
    TicketState,
)
from afterwork.insight.failures import Hindrance
from afterwork.insight.machine_views import ObjectInMachine
from afterwork.insight.model import ModelView
from afterwork.insight.object_states import ObjectInState
from afterwork.web.api.parameters import Actor, TicketPageQuery, TicketQuery, TicketSelection
from afterwork.web.page import Site

VIEWS: Sequence[tuple[str, str, str, Callable[..., Any]]] = (
    ("installation", "/status", "status", Insight.status),
    ("tickets", "/tickets/{key}", "ticket", Insight.ticket),
    ("works", "/works", "works", Insight.works),
    ("works", "/works/{name:path}", "work", Insight.work),
    ("timers", "/timers", "timers", Insight.timers),
    ("timers", "/timers/{name}", "timer", Insight.timer),
    ("caches", "/caches", "caches", Insight.caches),
    ("caches", "/explain", "explain", Insight.explain),
    ("caches", "/around", "around", Insight.around),
    ("caches", "/impact", "impact", Insight.impact),
    ("caches", "/graph", "graph", Insight.graph),
    ("machines", "/machines", "machines", Insight.machines),
    ("lanes", "/lanes", "lanes", Insight.activity),
)
"""The methods of `Insight` that are routes as they are: tag, path, and the id of the operation."""


@dataclass(frozen=True)
class DryRun:
    """The objects that a round would match now, in order. [null] is the one run of a job without a root."""

    would_match: Sequence[str | None]


class Recompute(BaseModel):
    """A request to recompute the cache `cache` of the object `root`."""

    root: str
    cache: str


def add_routes(made: FastAPI, site: Site) -> None:
    """Add all routes to the API of a site."""
    for tag, path, name, read in VIEWS:
        _add_view(made, site, (tag, path, name), read)
    _add_parameterized_views(made, site)
    for act in TICKET_ACTS:
        route = made.post(f"/tickets/{act.name}", name=f"{act.name}_tickets", description=act.doc, tags=["tickets"])
        route(_ticket_act(site, act))
    for named in NAMED_ACTS:
        tag = "timers" if named.thing == "timer" else "lanes"
        status = 204 if named.answer is None else 200
        made.post(
            named.path,
            name=f"{named.verb}_{named.thing}",
            description=named.doc,
            tags=[tag],
            status_code=status,
            response_model=named.answer,
        )(_named_act(site, named))

    @made.post("/recompute", status_code=204, tags=["caches"])
    def recompute(wanted: Recompute, who: Actor) -> None:
        """Recompute a cache of an object although nothing that it read has changed."""
        site.control.recompute(wanted.root, wanted.cache, who)


def _add_view(made: FastAPI, site: Site, route: tuple[str, str, str], read: Callable[..., Any]) -> None:
    """Add a route for a method of `Insight`, whose parameters, return type and docstring describe it.

    Only the first paragraph of the docstring is shown: the rest is for Python.
    """
    tag, path, name = route
    description = inspect.cleandoc(read.__doc__ or "").partition("\n\n")[0]
    made.get(path, name=name, description=description, tags=[tag])(getattr(site.insight, read.__name__))


def _add_parameterized_views(made: FastAPI, site: Site) -> None:
    """Add the routes of views whose parameters differ from those of the methods."""

    @made.get("/check", tags=["installation"])
    def check() -> Sequence[Finding]:
        """Check this installation. Each finding that is not right says what to do."""
        return site.check()

    @made.get("/overview", tags=["installation"])
    def overview() -> Overview:
        """Return an overview: the verdict, what needs attention, a few numbers, and the last hour."""
        return site.overview()

    @made.get("/failures", tags=["failures"])
    def failures(work: str | None = None, outcome: Hindrance = "failed") -> Sequence[FailureGroup]:
        """Return recorded failures of all kinds, those of one work with the same trace in one group, newest first."""
        return site.insight.failure_groups(work, outcome)

    @made.get("/tickets", tags=["tickets"])
    def tickets(query: Annotated[TicketPageQuery, Query()]) -> TicketPage:
        """Return tickets that match: pending ones in the order in which they run, others newest first."""
        return site.insight.tickets(query.filter, query.most, query.after)

    @made.get("/ticket-counts", tags=["tickets"])
    def count_tickets(query: Annotated[TicketQuery, Query()]) -> dict[TicketState, Count]:
        """Count the matching tickets in each state, whatever `state` is. Counts 10,000 at most."""
        return site.insight.ticket_counts(query.filter)

    @made.get("/timers/{name}/dry-run", tags=["timers"])
    def dry_run_of_timer(name: str) -> DryRun:
        """Return the objects that a round would match now. Changes nothing."""
        return DryRun(site.control.dry_run(name))

    @made.get("/caches/{name}", tags=["caches"])
    def caches_of(name: str, state: CacheState | None = None, after: str | None = None) -> ListPage[CacheLine]:
        """Return a page of the objects of one cache. `after` is the `next` of the previous page."""
        return site.insight.caches_of(site.insight.cache(name).name, state, after)

    @made.get("/machines/{name}/objects", tags=["machines"])
    def objects_in(name: str, state: str | None = None, after: str | None = None) -> ListPage[ObjectInState]:
        """Return a page of the objects in a state; without one, of those that have not begun."""
        return site.insight.objects_in(name, state, after)

    @made.get("/machines/{name}/object", tags=["machines"])
    def object_in_machine(name: str, root: str, after: str | None = None) -> ObjectInMachine:
        """Return an object: its state, its past transitions, and those that are possible next."""
        return site.insight.object_in_machine(root, name.rpartition(".")[2], after)

    @made.get("/model", tags=["model"])
    def model() -> ModelView:
        """Return classes, associations and view models."""
        return site.insight.model


def _ticket_act(site: Site, act: TicketAct) -> Callable[[TicketSelection, str], ActResult]:
    def endpoint(selection: TicketSelection, who: Actor) -> ActResult:
        return site.control.act_on_tickets(act, selection.selected, who)

    return endpoint


def _named_act(site: Site, act: NamedAct) -> Callable[..., Any]:
    def of_server(server: int, who: Actor) -> Any:
        return site.perform(act, server, who)

    def of_name(name: str, who: Actor) -> Any:
        return site.perform(act, name, who)

    return of_server if act.thing == "server" else of_name

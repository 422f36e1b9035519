"""All addresses of the web page in a shop: each page that the page has, filled with what is there, in each state."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from urllib.parse import quote, urlencode

from afterwork.insight import Insight
from afterwork.store.tickets.filter import STATES, TicketFilter
from afterwork.web.application import PAGES
from afterwork.web.pages.machines import NOT_BEGUN
from examples.shop import app

NOWHERE = "nothing-is-here"
"""Stands for a thing where a shop has none, and is no page."""

FEW = 2
"""So many things of a kind are shown, that may differ."""


def part(text: str) -> str:
    return quote(text, safe="!")


def _tickets(insight: Insight) -> Iterator[str]:
    """One in each state."""
    for state in STATES:
        for ticket in insight.tickets(TicketFilter(state), 1).tickets:
            yield f"/tickets/{part(ticket.key)}"


def _works(insight: Insight) -> Iterator[str]:
    """One of each kind, and others that have run."""
    kinds = {insight.work(name).kind: name for name in sorted(app.model.work_names)}
    ran = [group.name for group in insight.works("week").works]
    for name in dict.fromkeys([*kinds.values(), *ran[:FEW], "Order.total"]):
        yield f"/works/{part(name)}"


def _caches(insight: Insight) -> Iterator[str]:
    return (f"/caches/{part(cache.name)}" for cache in insight.caches()[:FEW])


def _values(insight: Insight) -> Iterator[str]:
    for cache in insight.caches():
        for line in islice(insight.caches_of(cache.name).items, 1):
            yield f"/caches/{part(cache.name)}/{part(line.root_id)}"


def _objects(insight: Insight) -> Iterator[str]:
    for machine in insight.machines():
        for state in dict.fromkeys(state.state for state in machine.states):
            for obj in islice(insight.objects_in(machine.name, state).items, 1):
                yield f"/machines/{part(machine.name)}/{part(obj.root_id)}"


FILLED: Mapping[str, Callable[[Insight], Iterator[str]]] = {
    "/tickets/{key}": _tickets,
    "/works/{name}": _works,
    "/works/{name:path}": lambda insight: (path for path in _works(insight) if "%2F" in path),
    "/timers/{name}": lambda insight: (f"/timers/{part(timer.name)}" for timer in insight.timers()),
    "/caches/{name}": _caches,
    "/caches/{name}/{root:path}": _values,
    "/machines/{name}": lambda insight: (f"/machines/{part(machine.name)}" for machine in insight.machines()),
    "/machines/{name}/{root:path}": _objects,
}
"""The addresses of each page whose path has a place to be filled."""


def _groups(insight: Insight) -> list[str]:
    return [urlencode({"work": group.work, "group": group.id}) for group in insight.failure_groups()[:FEW]]


ASKED: Mapping[str, Callable[[Insight], Sequence[str]]] = {
    "/failures": lambda insight: ["outcome=put+off", "work=Order.total", *_groups(insight)],
    "/tickets": lambda insight: ["state=scheduled", "state=done", "state=failed", "q=nobody"],
    "/works": lambda insight: ["span=day", "span=week&kind=cache&lane=main&server=1"],
    "/works/Order.total": lambda insight: ["span=week"],
    "/timers/ExportOrder": lambda insight: ["dry=1"],
    "/caches/Order.total": lambda insight: ["state=stale", "state=failed"],
    "/graph": lambda insight: ["member=OrderLine.quantity"],
    "/impact": lambda insight: ["root=OrderLine!1&member=quantity", "root=OrderLine!1&member=color"],
    "/machines/Order.flow": lambda insight: ["state=cart", urlencode({"state": NOT_BEGUN})],
    "/model": lambda insight: ["search=order", "search=nobody"],
}
"""What a page is asked for to be seen in each of its states."""


PLACES = [page.path for page in PAGES]
"""The paths of all pages, as they are declared."""


def filled(insight: Insight, place: str) -> list[str]:
    """The addresses of a page; one at which nothing is if a shop has nothing to show there."""
    found = [place] if "{" not in place else list(FILLED[place](insight))
    return found or [place.partition("{")[0] + NOWHERE]


def addresses(insight: Insight) -> list[str]:
    """Each address at which a shop shows something else."""
    found: dict[str, None] = {}
    for place in PLACES:
        found.update(dict.fromkeys(filled(insight, place)))
    for path, queries in ASKED.items():
        found.update(dict.fromkeys(f"{path}?{query}" for query in queries(insight)))
    return [*found, f"/{NOWHERE}"]

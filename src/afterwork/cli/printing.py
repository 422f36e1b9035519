"""How what the command line found is printed: as plain text, or as JSON."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from afterwork.insight import Finding, MachineView, OnceView, StateView, Status, TicketView, TimerView
from afterwork.manifest.explain import CacheSummary, Reader
from afterwork.model.external_id import external_id
from afterwork.model.reading import ReadModel
from afterwork.model.work import Work
from afterwork.store.progress import Said
from afterwork.triggers.verify import Verified

LONGEST_CELL = 60
"""Characters of a value that a table shows."""


def say(text: str, data: object, as_json: bool) -> None:
    """Print the text, or the data as JSON."""
    click.echo(json.dumps(data, default=_plain, indent=2) if as_json else text)


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.asdict(value)
        case _:
            return str(value)


def model_view(model: ReadModel) -> dict[str, Any]:
    """A model, as far as others ask for work in it."""
    ticket = model.contract
    optional = {
        "priority": ticket.priority,
        "lane": ticket.lane,
        "attempts": ticket.attempts,
        "created": ticket.created,
    }
    return {
        "classes": sorted(model.classes),
        "tickets": ticket.table.fullname,
        "without": [name for name, attribute in optional.items() if attribute is None],
        "works": [_work(model.works[name]) for name in sorted(model.works)],
    }


def _work(work: Work) -> dict[str, Any]:
    root = work.root.__name__ if work.root else None
    attempts = work.retry.attempts if work.retry else 1
    return {"name": work.name, "root": root, "lane": work.lane, "external": work.external, "attempts": attempts}


def model_lines(model: Mapping[str, Any]) -> Iterator[str]:
    """What `model_view` has found, for people."""
    yield f"classes  {', '.join(model['classes'])}"
    without = f", without {', '.join(model['without'])}" if model["without"] else ""
    yield f"tickets  in {model['tickets']}, as the contract says{without}"
    yield ""
    rows = [
        (w["name"], w["root"] or "none", w["lane"], "outside" if w["external"] else "inside", str(w["attempts"]))
        for w in model["works"]
    ]
    yield from _table(("work", "on", "lane", "transaction", "attempts"), rows)


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """What was checked, with advice where it is not right."""
    for finding in findings:
        mark = "ok   " if finding.right else "note " if finding.is_note else "WRONG"
        yield f"{mark}  {finding.what}" + ("" if finding.right else f"\n       {finding.advice}")


def status_lines(status: Status) -> Iterator[str]:
    """What goes on in a database, for people."""
    lanes = ", ".join(f"{count:,} in {lane}" for lane, count in status.waiting.items())
    oldest = "" if status.oldest is None else f"; the oldest for {status.oldest.total_seconds():,.1f} s"
    yield f"waiting  {lanes or 'none'}{oldest}"
    yield f"outside  {status.running:,} running"
    for_ = "" if status.stale_for is None else f"; the first for {status.stale_for.total_seconds():,.1f} s"
    yield f"stale    {status.stale:,} caches{for_}"
    yield f"servers  {', '.join(status.servers) or 'none'}"
    yield f"paused   {', '.join(status.paused) or 'none'}"


def cache_lines(caches: Sequence[CacheSummary]) -> Iterator[str]:
    """Caches over all objects, for people."""
    head = ("cache", "fresh", "stale", "failed", "runs", "mean ms", "filled")
    yield from _table(head, [_cache_cells(one) for one in caches]) if caches else ["The model has no caches."]


def _cache_cells(one: CacheSummary) -> tuple[str, ...]:
    mean = "" if one.mean is None else f"{one.mean * 1000:.1f}"
    name = one.name if one.known else f"{one.name} (not in the model any more)"
    return (name, f"{one.fresh:,}", f"{one.stale:,}", f"{one.failed:,}", f"{one.runs:,}", mean, _filled(one))


def _filled(one: CacheSummary) -> str:
    if one.is_filled:
        return "yes"
    done = max(0, one.filled - one.stale)
    if not one.total or one.began is None:
        return "not begun"
    share = min(1.0, done / one.total)
    passed = (datetime.now(UTC) - one.began).total_seconds()
    left = f", about {timedelta(seconds=round(passed / share - passed))} left" if share else ""
    return f"{share:.0%}{left}"


def impact_lines(readers: Sequence[Reader], root: str, member: str) -> Iterator[str]:
    """Who reads a member, for people."""
    yield (
        f"If {member} of {root} changes, {len(readers):,} caches become stale or may follow:"
        if readers
        else (f"No cache reads {member} of {root}.")
    )
    for reader in readers:
        yield f"  {reader.name} of {reader.root_id}" + (f", by way of {reader.through}" if reader.through else "")


def verified_lines(verified: Verified) -> Iterator[str]:
    """What was calculated again, for people."""
    for name, count in verified.checked.items():
        yield f"{name}: {count:,} calculated again"
    for one in verified.differences:
        side = "in SQL " if one.in_sql else ""
        yield f"WRONG  {one.name} of {one.root_id} is {one.stored}, but {side}calculated {one.calculated}"
    yield f"{len(verified.differences):,} differences"


def timer_lines(timers: Sequence[TimerView]) -> Iterator[str]:
    """Timers, for people."""
    head = ("timer", "when", "lane", "next (UTC)", "last (UTC)", "took", "hits", "failed", "left", "error", "goes on")
    yield from _table(head, [_timer_cells(one) for one in timers]) if timers else ["The model has no timers."]


def _timer_cells(one: TimerView) -> tuple[str, ...]:
    name = one.name if one.known else f"{one.name} (not in the model any more)"
    coming = "paused" if one.paused else _moment(one.due) if one.known else "never"
    took = "" if one.took is None else f"{one.took:.1f} s"
    counts = f"{one.hits:,}", f"{one.failed:,}", f"{one.left:,}"
    said = one.error or "", "; ".join(map(_said, one.running))
    return (name, one.schedule, one.lane or "", coming, _moment(one.fired), took, *counts, *said)


def _said(run: Said) -> str:
    return f"{run.root_id or 'run'} {_far(run)}{' (is to stop)' if run.stopping else ''}"


def _far(run: Said) -> str:
    of = "" if run.total is None else f"/{run.total:,}"
    return "" if run.done is None else f"{run.done:,}{of}"


def dry_lines(timer: str, found: Sequence[str | None]) -> Iterator[str]:
    """What a round would hit, for people."""
    match found:
        case []:
            yield f"{timer} would hit nothing now: its criteria finds no object, or its `before` says no."
        case [None]:
            yield f"{timer} has no root. It would run once."
        case _:
            yield f"{timer} would hit {len(found):,}:"
            yield from (f"  {root}" for root in found)


def machine_lines(machines: Sequence[MachineView]) -> Iterator[str]:
    """State machines, for people."""
    if not machines:
        yield "The model has no state machines."
    for machine in machines:
        yield f"{machine.name} ({machine.chart})"
        head = ("state", "objects", "longest there", "since (UTC)", "what would move it")
        for line in _table(head, [_state_cells(one) for one in machine.states]):
            yield f"  {line}"


def _state_cells(one: StateView) -> tuple[str, ...]:
    name = "(not begun)" if one.state is None else one.state if one.known else f"{one.state} (not in the machine)"
    return name, f"{one.count:,}", one.oldest or "", _moment(one.since), "; ".join(one.onward)


def value_view(value: Any) -> Any:
    """A value of an expression as JSON has it: objects by their external ids."""
    match value:
        case list() | set() | frozenset():
            return [value_view(one) for one in value]
        case tuple() if hasattr(value, "_asdict"):
            return {name: value_view(one) for name, one in value._asdict().items()}
        case tuple():
            return [value_view(one) for one in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return external_id(value) if hasattr(value, "_sa_instance_state") else str(value)


def value_lines(value: Any) -> Iterator[str]:
    """A value, for people: a line for each element of a collection."""
    for one in value if isinstance(value, list) else [value]:
        yield "null" if one is None else str(one).lower() if isinstance(one, bool) else str(one)


def once_lines(actions: Sequence[OnceView]) -> Iterator[str]:
    """What runs once per database, for people."""
    head = ("action", "state", "ended (UTC)", "took", "result or error")
    yield from _table(head, [_once_cells(one) for one in actions]) if actions else ["Nothing in the model runs once."]


def _once_cells(one: OnceView) -> tuple[str, ...]:
    name = one.name if one.known else f"{one.name} (not in the model any more)"
    took = "" if one.seconds is None else f"{one.seconds:.1f} s"
    told = one.error or one.result or (f"until {one.waits_for} has gone well" if one.waits_for else "")
    return (name, one.state, _moment(one.ended), took, told or ("" if one.said is None else _far(one.said)))


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def ticket_lines(tickets: Sequence[TicketView]) -> Iterator[str]:
    """Tickets, for people."""
    head = ("key", "state", "work", "root", "lane", "tried", "done or due (UTC)", "error or how far")
    yield from _table(head, [_cells(ticket) for ticket in tickets]) if tickets else ["There are no such tickets."]


def _cells(ticket: TicketView) -> tuple[str, ...]:
    moment = ticket.done or ticket.execute_earliest
    when = f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
    work, root, said = ticket.work or "", ticket.root_id or "", "" if ticket.said is None else _far(ticket.said)
    return (ticket.key, ticket.state, work, root, ticket.lane, str(ticket.attempts), when, ticket.error or said)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    cells = [[_short(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_CELL else f"{line[: LONGEST_CELL - 1]}…"

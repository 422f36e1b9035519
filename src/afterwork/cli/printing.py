"""How what the command line found is printed: as plain text, or as JSON."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from afterwork.insight import Finding, Status, TicketView
from afterwork.model.reading import ReadModel
from afterwork.model.work import Work

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
    yield f"servers  {', '.join(status.servers) or 'none'}"
    yield f"paused   {', '.join(status.paused) or 'none'}"


def ticket_lines(tickets: Sequence[TicketView]) -> Iterator[str]:
    """Tickets, for people."""
    head = ("key", "state", "work", "root", "lane", "tried", "done or due (UTC)", "error")
    yield from _table(head, [_cells(ticket) for ticket in tickets]) if tickets else ["There are no such tickets."]


def _cells(ticket: TicketView) -> tuple[str, ...]:
    moment = ticket.done or ticket.execute_earliest
    when = f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
    work, root, error = ticket.work or "", ticket.root_id or "", ticket.error or ""
    return (ticket.key, ticket.state, work, root, ticket.lane, str(ticket.attempts), when, error)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    cells = [[_short(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_CELL else f"{line[: LONGEST_CELL - 1]}…"

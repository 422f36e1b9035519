"""Commands that show tickets."""

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import click

from afterwork.app import Afterwork
from afterwork.cli.arguments import OpenedLate, Shown, command, one_of
from afterwork.cli.printing import progress_text, table_lines, utc_text
from afterwork.errors import NotThere, shown
from afterwork.insight import FlowView, Insight, TicketDetail, TicketFilter, TicketPage, TicketView
from afterwork.model.known_names import instead_of
from afterwork.model.lane import MAIN, PARALLEL
from afterwork.store.tickets.filter import QUALIFIERS, STATES

CHOICES = ("pending", "failed", "done", *(state for state in STATES if state not in ("failed", "done")))

FILTERS = (
    click.option(
        "--state",
        type=one_of(CHOICES),
        help="Only tickets in this state; pending ones are all that have not ended.",
    ),
    click.option("--work", metavar="TEXT", help="Only those whose view model or method has TEXT in its name."),
    click.option("--root", metavar="ROOT", help="Only those of an object, Customer!42, or of a class, Customer."),
    click.option("--error", metavar="TEXT", help="Only those with TEXT in their error."),
    click.option("--lane", metavar="LANE", help="Only those of a lane."),
    click.option("--search", metavar="TEXT", help="Only those that match a search: 'root:Customer!42 \"no answer\"'."),
)

HEAD = ("key", "state", "work", "root", "lane", "tried", "done or due (UTC)", "error or progress")


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a ticket filter to a command, which gets it as `wanted`."""

    @functools.wraps(command)
    def with_filter(*given: Any, state: Any, search: Any, **others: Any) -> Any:
        parts = {name: others.pop(name) for name in QUALIFIERS}
        return command(*given, wanted=TicketFilter.read(search or "", state).narrowed(**parts), **others)

    return functools.reduce(lambda made, option: option(made), reversed(FILTERS), with_filter)


@command(
    filter_options,
    click.option(
        "--most",
        type=click.IntRange(min=1),
        default=20,
        show_default=True,
        help="The maximum number of tickets to show.",
    ),
    click.option("--after", metavar="KEY", help="Continue after this ticket, the last of the previous page."),
)
def tickets(app: Afterwork, at: OpenedLate, wanted: TicketFilter, most: int, after: str | None) -> Shown:
    """Show tickets: pending ones in the order in which they run, others newest first."""
    insight = app.insight(at.engine)
    page = insight.tickets(wanted, most, after)
    if not page.tickets and page.after is None:
        check_names(app, insight, wanted)
    return Shown(_page_lines(page), page.tickets)


def check_names(app: Afterwork, insight: Insight, wanted: TicketFilter) -> None:
    """Raise `NotThere` if a filter that nothing matches names what is not there: a work, a class, or a lane."""
    model = app.model
    works = [*model.works, *model.once]
    if wanted.work and not any(wanted.work.lower() in name.lower() for name in works):
        known = instead_of(wanted.work, works, verb="It has", listed_by="model")
        raise NotThere(f"The model has no work {shown(wanted.work)}. {known}")
    name = (wanted.root or "").partition("!")[0]
    if name and name not in model.classes:
        known = instead_of(name, model.classes, verb="It has", listed_by="model")
        raise NotThere(f"The model has no class {shown(name)}. {known}")
    if wanted.lane and wanted.lane not in (MAIN, PARALLEL):
        insight.lane(wanted.lane)


def _page_lines(page: TicketPage) -> Iterator[str]:
    if page.tickets:
        yield from table_lines(HEAD, [_cells(ticket) for ticket in page.tickets])
    elif page.looked_at is None:
        yield "There are no such tickets."
    looked = "" if page.looked_at is None else f"{page.looked_at:,} tickets were read. "
    if page.after is not None:
        yield f"{looked}To go on: --after {page.after}"


def _cells(ticket: TicketView) -> tuple[str, ...]:
    when = utc_text(ticket.done or ticket.execute_earliest)
    said = "" if ticket.said is None else progress_text(ticket.said)
    names = ticket.key, ticket.state, ticket.work or "", ticket.root_id or "", ticket.lane
    return (*names, str(ticket.attempts), when, ticket.error or said)


@command(click.argument("key"))
def ticket(app: Afterwork, at: OpenedLate, key: str) -> Shown:
    """Show the ticket KEY: what it asks for, its history so far, and why it is waiting."""
    detail = app.insight(at.engine).ticket(key)
    return Shown(_ticket_lines(detail), detail)


def _flow_lines(flow: FlowView) -> Iterator[str]:
    """Yield a flow as a picture: each ticket below and to the right of those that it waits for."""
    yield "flow:"
    for place, level in enumerate(flow.levels):
        indent = "  " + "   " * (place - 1) + ("└─ " if place else "")
        for each in level.tickets:
            this = "  ← this ticket" if not level.distance else ""
            yield f"{indent}{each.key}  {each.work or ''} {each.root_id or ''}  {each.state}{this}"
        if level.more.number:
            yield f"{indent}and {level.more} more"


def _ticket_lines(detail: TicketDetail) -> Iterator[str]:
    ticket = detail.ticket
    yield f"{detail.call}  {ticket.state}"
    yield from filter(None, [detail.refused])
    if detail.root_is_there is False:
        yield f"{ticket.root_id} no longer exists."
    yield from detail.waits
    for step in detail.timeline:
        yield f"  {utc_text(step.at)} UTC  {step.what}" + (f", {step.note}" if step.note else "")
    if detail.flow is not None:
        yield from _flow_lines(detail.flow)
    for name, value in detail.arguments.items():
        yield f"argument {name}: {json.dumps(value, ensure_ascii=False)}"
    if detail.result is not None:
        yield f"result: {json.dumps(detail.result, ensure_ascii=False)}"
    for done in detail.steps:
        yield f"step {done.name}: done {utc_text(done.at)} UTC, {json.dumps(done.result, ensure_ascii=False)}"
    yield from filter(None, [ticket.error])
    for run in detail.attempts:
        yield f"attempt {run.attempt}: {run.outcome}, {utc_text(run.ended)} UTC, run {run.run}"
        yield from filter(None, [run.trace])

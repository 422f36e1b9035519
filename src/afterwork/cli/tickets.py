"""The command line on tickets."""

from collections.abc import Iterator, Sequence

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.arguments import as_json, engine_at, the_app, the_database
from afterwork.cli.printing import far, say, table
from afterwork.insight import State, TicketView


@click.command()
@the_app
@the_database()
@click.option("--state", type=click.Choice(["pending", "failed", "done"]), help="Only these.")
@click.option("--most", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@as_json
def tickets(app: Afterwork, url: URL, state: State | None, most: int, as_json: bool) -> None:
    """Show the newest tickets."""
    with engine_at(url) as engine:
        found = app.insight(engine).tickets(state, most)
    say("\n".join(ticket_lines(found)), found, as_json)


def ticket_lines(tickets: Sequence[TicketView]) -> Iterator[str]:
    """Tickets, for people."""
    head = ("key", "state", "work", "root", "lane", "tried", "done or due (UTC)", "error or how far")
    yield from table(head, [_cells(ticket) for ticket in tickets]) if tickets else ["There are no such tickets."]


def _cells(ticket: TicketView) -> tuple[str, ...]:
    moment = ticket.done or ticket.execute_earliest
    when = f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
    work, root, said = ticket.work or "", ticket.root_id or "", "" if ticket.said is None else far(ticket.said)
    return (ticket.key, ticket.state, work, root, ticket.lane, str(ticket.attempts), when, ticket.error or said)


@click.command()
@the_app
@click.argument("key")
@the_database()
@as_json
def retry(app: Afterwork, key: str, url: URL, as_json: bool) -> None:
    """Let the ticket KEY run as soon as possible, also if it has ended."""
    with engine_at(url) as engine:
        app.control(engine).retry(key)
    say(f"Ticket {key} runs as soon as a server comes to it.", {"ticket": key, "state": "pending"}, as_json)

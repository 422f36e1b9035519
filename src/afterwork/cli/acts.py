"""The command line that acts on tickets, and on rounds of timers: retry, run, cancel."""

from collections.abc import Callable, Sequence
from typing import Any

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.arguments import app_argument, as_json, current_user, database_option, engine_at
from afterwork.cli.printing import print_result
from afterwork.cli.tickets import filter_options
from afterwork.cli.timers import dry_lines
from afterwork.control import MAX_TICKETS, ActResult, Control, Selected, result_lines
from afterwork.errors import BadRequest
from afterwork.insight import TicketFilter

TicketActCall = Callable[[Selected, str, int], ActResult]

limit_option = click.option(
    "--most",
    type=click.IntRange(min=1),
    default=MAX_TICKETS,
    show_default=True,
    help="The most tickets to act on.",
)
all_matching_option = click.option("--all-matching", is_flag=True, help="All tickets that match, instead of KEYs.")


@click.command()
@app_argument
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@database_option()
@all_matching_option
@filter_options
@limit_option
@as_json
def retry(app: Afterwork, keys: Sequence[str], url: URL, as_json: bool, **meant: Any) -> None:
    """Let the tickets KEY run as soon as possible, also if they have ended, with all attempts before them.

    With --all-matching, those that have failed and match, or those in the --state that is named.
    """
    selected = _selected(keys, **meant)
    with engine_at(url) as engine:
        _on_tickets(app.control(engine).retry_tickets, "retried", selected, meant["most"], as_json)


@click.command()
@app_argument
@click.argument("names", nargs=-1, metavar="[TIMER | KEY]...")
@database_option()
@click.option("--dry", is_flag=True, help="Only show which objects TIMER would match. Changes nothing.")
@all_matching_option
@filter_options
@limit_option
@as_json
def run(app: Afterwork, names: Sequence[str], url: URL, dry: bool, as_json: bool, **meant: Any) -> None:
    """Let TIMER have a round now, besides those at its due times; or let the tickets KEY, which wait for a moment, run
    as soon as possible. A server runs them.

    With --all-matching, all tickets that wait for a moment and match.
    """
    timer = _timer(app, names)
    if timer is None and dry:
        raise click.UsageError(f"--dry is for timers. {_known(app, names)}")
    selected = _selected(names, **meant) if timer is None else ()
    with engine_at(url) as engine:
        control = app.control(engine)
        if timer is None:
            _on_tickets(control.run_tickets_now, "due now", selected, meant["most"], as_json, _known(app, names))
        elif dry:
            found = control.dry_run(timer)
            print_result("\n".join(dry_lines(timer, found)), {"timer": timer, "would_match": found}, as_json)
        else:
            count = control.run_now(timer, current_user())
            print_result(
                f"{timer} has {count:,} matches. Servers run them now.", {"timer": timer, "matches": count}, as_json
            )


@click.command()
@app_argument
@click.argument("names", nargs=-1, metavar="[TIMER | KEY]...")
@database_option()
@all_matching_option
@filter_options
@limit_option
@as_json
def cancel(app: Afterwork, names: Sequence[str], url: URL, as_json: bool, **meant: Any) -> None:
    """End what is left of the round of TIMER, or the tickets KEY, and ask what runs to stop.

    With --all-matching, all tickets that have not ended and match.
    """
    timer = _timer(app, names)
    selected = _selected(names, **meant) if timer is None else ()
    with engine_at(url) as engine:
        control = app.control(engine)
        if timer is None:
            _on_tickets(control.cancel_tickets, "cancelled", selected, meant["most"], as_json, _known(app, names))
        else:
            _cancel_round(control, timer, as_json)


def _cancel_round(control: Control, timer: str, as_json: bool) -> None:
    found = control.cancel(timer, current_user())
    asked = f", and {found.asked_to_stop:,} that run were asked to stop" if found.asked_to_stop else ""
    facts = {"timer": timer, "cancelled": found.ended, "asked_to_stop": found.asked_to_stop}
    print_result(f"{found.ended:,} matches of {timer} cancelled{asked}.", facts, as_json)


def _timer(app: Afterwork, names: Sequence[str]) -> str | None:
    """The one timer that is named, None if it is tickets."""
    timers = [name for name in names if name in app.model.timers]
    if timers and len(names) > 1:
        raise click.UsageError(f"{timers[0]} is a timer. Name one timer, or any number of tickets.")
    return timers[0] if timers else None


def _known(app: Afterwork, names: Sequence[str]) -> str:
    """What timers there are, for who has meant one."""
    known = ", ".join(sorted(app.model.timers)) or "none"
    return f"The model has no timer {names[0]!r}. It has: {known}." if names else f"The model's timers: {known}."


def _selected(keys: Sequence[str], wanted: TicketFilter, all_matching: bool, **others: Any) -> Selected:
    if all_matching == bool(keys):
        raise click.UsageError("Name the tickets by their KEYs, or give --all-matching and what they must match.")
    if keys and not wanted.is_all:
        raise click.UsageError("Tickets that are named by their KEYs need no filter.")
    return wanted if all_matching else keys


def _on_tickets(act: TicketActCall, done: str, selected: Selected, most: int, as_json: bool, hint: str = "") -> None:
    try:
        acts = act(selected, current_user(), most)
    except BadRequest as error:
        raise click.ClickException(" ".join(filter(None, [hint, str(error)]))) from None
    print_result("\n".join(result_lines(acts, done)), acts, as_json)
    if not acts.changed and not acts.asked_to_stop and not isinstance(selected, TicketFilter):
        raise SystemExit(1)

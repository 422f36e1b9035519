"""Commands that act on tickets, and on rounds of timers: retry, run, cancel."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.arguments import app_argument, as_json, current_user, database_option, engine_at
from afterwork.cli.printing import print_result
from afterwork.cli.tickets import filter_options
from afterwork.cli.timers import dry_lines
from afterwork.control import CANCEL, MAX_TICKETS, RETRY, RUN_NOW, Control, Selected, TicketAct, result_lines
from afterwork.errors import BadRequest
from afterwork.insight import TicketFilter

limit_option = click.option(
    "--most",
    type=click.IntRange(min=1),
    default=MAX_TICKETS,
    show_default=True,
    help="The maximum number of tickets to act on.",
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
def retry(app: Afterwork, keys: Sequence[str], url: URL, most: int, as_json: bool, **filtered: Any) -> None:
    """Make the tickets KEY due now, even if they have ended, and restore all their attempts.

    With --all-matching, apply to all that match: failed ones, or those in the given --state.
    """
    selected = _selected(keys, **filtered)
    with engine_at(url) as engine:
        _act(app.control(engine), RETRY, selected, most, as_json)


@click.command()
@app_argument
@click.argument("names", nargs=-1, metavar="[TIMER | KEY]...")
@database_option()
@click.option("--dry", is_flag=True, help="Only show which objects TIMER would match. Changes nothing.")
@all_matching_option
@filter_options
@limit_option
@as_json
def run(app: Afterwork, names: Sequence[str], url: URL, dry: bool, most: int, as_json: bool, **filtered: Any) -> None:
    """Begin an extra round of TIMER now, or make the scheduled tickets KEY due now. A server runs them.

    With --all-matching, apply to all scheduled tickets that match.
    """
    timer = _timer(app, names)
    if timer is None and dry:
        raise click.UsageError(f"--dry is for timers. {_known_timers(app, names)}")
    selected = _selected(names, **filtered) if timer is None else ()
    with engine_at(url) as engine:
        control = app.control(engine)
        if timer is None:
            with _hint(_known_timers(app, names)):
                _act(control, RUN_NOW, selected, most, as_json)
        elif dry:
            roots = control.dry_run(timer)
            print_result("\n".join(dry_lines(timer, roots)), {"timer": timer, "would_match": roots}, as_json)
        else:
            count = control.run_now(timer, current_user())
            text = f"{timer} has {count:,} matches. Servers run them now."
            print_result(text, {"timer": timer, "matches": count}, as_json)


@click.command()
@app_argument
@click.argument("names", nargs=-1, metavar="[TIMER | KEY]...")
@database_option()
@all_matching_option
@filter_options
@limit_option
@as_json
def cancel(app: Afterwork, names: Sequence[str], url: URL, most: int, as_json: bool, **filtered: Any) -> None:
    """End the rest of the round of TIMER, or the tickets KEY, and ask current runs to stop.

    With --all-matching, apply to all matching tickets that have not ended.
    """
    timer = _timer(app, names)
    selected = _selected(names, **filtered) if timer is None else ()
    with engine_at(url) as engine:
        control = app.control(engine)
        if timer is not None:
            _cancel_round(control, timer, as_json)
            return
        with _hint(_known_timers(app, names)):
            _act(control, CANCEL, selected, most, as_json)


def _cancel_round(control: Control, timer: str, as_json: bool) -> None:
    cancelled = control.cancel(timer, current_user())
    asked = f", and {cancelled.asked_to_stop:,} that run were asked to stop" if cancelled.asked_to_stop else ""
    data = {"timer": timer, "cancelled": cancelled.ended, "asked_to_stop": cancelled.asked_to_stop}
    print_result(f"{cancelled.ended:,} matches of {timer} cancelled{asked}.", data, as_json)


def _timer(app: Afterwork, names: Sequence[str]) -> str | None:
    """Return the timer that is named, or None if the names are keys of tickets."""
    timers = [name for name in names if name in app.model.timers]
    if timers and len(names) > 1:
        raise click.UsageError(f"{timers[0]} is a timer. Name one timer, or any number of tickets.")
    return timers[0] if timers else None


def _known_timers(app: Afterwork, names: Sequence[str]) -> str:
    """Return a hint for users who meant a timer."""
    known = ", ".join(sorted(app.model.timers)) or "none"
    return f"The model has no timer {names[0]!r}. It has: {known}." if names else f"The model's timers: {known}."


def _selected(keys: Sequence[str], wanted: TicketFilter, all_matching: bool) -> Selected:
    if all_matching == bool(keys):
        raise click.UsageError("Name the tickets by their KEYs, or give --all-matching and what they must match.")
    if keys and not wanted.is_all:
        raise click.UsageError("Tickets that are named by their KEYs need no filter.")
    return wanted if all_matching else keys


def _act(control: Control, act: TicketAct, selected: Selected, limit: int, as_json: bool) -> None:
    """Perform an act and print its result. Exits with 1 if keys were given and no ticket was affected."""
    result = control.act_on_tickets(act, selected, current_user(), limit)
    print_result("\n".join(result_lines(act, result)), result, as_json)
    if not result.changed and not result.asked_to_stop and not isinstance(selected, TicketFilter):
        raise SystemExit(1)


@contextmanager
def _hint(text: str) -> Iterator[None]:
    """Put a hint before the message of a `BadRequest`."""
    try:
        yield
    except BadRequest as error:
        raise click.ClickException(f"{text} {error}") from None

"""Commands that act on tickets, and on rounds of timers: retry, run, cancel."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from afterwork.app import Afterwork
from afterwork.cli.arguments import OpenedLate, Shown, command, current_user, full_command
from afterwork.cli.tickets import check_names, filter_options
from afterwork.cli.timers import dry_lines
from afterwork.control import (
    CANCEL,
    MAX_TICKETS,
    RETRY,
    RUN_NOW,
    Selected,
    TicketAct,
    act_on,
    result_lines,
)
from afterwork.errors import BadRequest, shown
from afterwork.insight import TicketFilter
from afterwork.model.known_names import instead_of

LIMIT = click.option(
    "--most",
    type=click.IntRange(min=1),
    default=MAX_TICKETS,
    show_default=True,
    help="The maximum number of tickets to act on.",
)
ALL_MATCHING = click.option("--all-matching", is_flag=True, help="All tickets that match, instead of KEYs.")
TIMER_OR_KEYS = click.argument("names", nargs=-1, metavar="[TIMER | KEY]...")


@command(click.argument("keys", nargs=-1, metavar="[KEY]..."), ALL_MATCHING, filter_options, LIMIT)
def retry(app: Afterwork, at: OpenedLate, keys: Sequence[str], most: int, **filtered: Any) -> Shown:
    """Make the tickets KEY due now, even if they have ended, and restore all their attempts.

    With --all-matching, apply to all that match: failed ones, or those in the given --state.
    """
    return _act(app, at, RETRY, _selected(keys, **filtered), most)


@command(
    TIMER_OR_KEYS,
    click.option("--dry", is_flag=True, help="Only show which objects TIMER would match. Changes nothing."),
    ALL_MATCHING,
    filter_options,
    LIMIT,
)
def run(app: Afterwork, at: OpenedLate, names: Sequence[str], dry: bool, most: int, **filtered: Any) -> Shown:
    """Begin an extra round of TIMER now, or make the scheduled tickets KEY due now. A server runs them.

    With --all-matching, apply to all scheduled tickets that match.
    """
    timer = _timer(app, names)
    if timer is None:
        hint = _known_timers(app, names)
        if dry:
            raise click.UsageError(f"--dry is for timers. {hint}")
        selected = _selected(names, **filtered)
        with _hint(hint):
            return _act(app, at, RUN_NOW, selected, most)
    if dry:
        roots = app.control(at.engine).dry_run(timer)
        return Shown(dry_lines(timer, roots), {"timer": timer, "would_match": roots})
    act = act_on("timer", "run")
    started = act.perform(app.control(at.engine), timer, current_user())
    return Shown([act.say(timer, started)], {"timer": timer, "matches": started.matches})


@command(TIMER_OR_KEYS, ALL_MATCHING, filter_options, LIMIT)
def cancel(app: Afterwork, at: OpenedLate, names: Sequence[str], most: int, **filtered: Any) -> Shown:
    """End the rest of the round of TIMER, or the tickets KEY, and ask current runs to stop.

    With --all-matching, apply to all matching tickets that have not ended.
    """
    timer = _timer(app, names)
    if timer is None:
        selected = _selected(names, **filtered)
        with _hint(_known_timers(app, names)):
            return _act(app, at, CANCEL, selected, most)
    act = act_on("timer", "cancel")
    cancelled = act.perform(app.control(at.engine), timer, current_user())
    data = {"timer": timer, "ended": cancelled.ended, "asked_to_stop": cancelled.asked_to_stop}
    return Shown([act.say(timer, cancelled)], data)


def _timer(app: Afterwork, names: Sequence[str]) -> str | None:
    """Return the timer that is named, or None if the names are keys of tickets."""
    timers = [name for name in names if name in app.model.timers]
    if timers and len(names) > 1:
        raise click.UsageError(f"{timers[0]} is a timer. Name one timer, or any number of tickets.")
    return timers[0] if timers else None


def _known_timers(app: Afterwork, names: Sequence[str]) -> str:
    """Return a hint for users who meant a timer."""
    timers = app.model.timers
    if not names:
        return f"The model's timers: {', '.join(sorted(timers)) or 'none'}."
    return f"The model has no timer {shown(names[0])}. {instead_of(names[0], sorted(timers), verb='It has')}"


def _selected(keys: Sequence[str], wanted: TicketFilter, all_matching: bool) -> Selected:
    if all_matching == bool(keys):
        raise click.UsageError("Name the tickets by their KEYs, or give --all-matching and what they must match.")
    if keys and not wanted.is_all:
        raise click.UsageError("Tickets that are named by their KEYs need no filter.")
    return wanted if all_matching else keys


def _act(app: Afterwork, at: OpenedLate, act: TicketAct, selected: Selected, limit: int) -> Shown:
    """Perform an act. The command exits with 1 if keys were given and no ticket was affected."""
    result = app.control(at.engine).act_on_tickets(act, selected, current_user(), limit)
    is_in_vain = not result.changed and not result.asked_to_stop
    if isinstance(selected, TicketFilter):
        if is_in_vain and not result.left_alone:
            check_names(app, app.insight(at.engine), selected)
        return Shown(result_lines(act, result), result)
    advice = [f"Tickets are listed by: {full_command('tickets')}"] if is_in_vain else []
    return Shown([*result_lines(act, result), *advice], result, 1 if is_in_vain else 0)


@contextmanager
def _hint(text: str) -> Iterator[None]:
    """Put a hint before the message of a `BadRequest`."""
    try:
        yield
    except BadRequest as error:
        raise click.ClickException(f"{text} {error}") from None

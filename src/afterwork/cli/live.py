"""`afterwork status --watch`: the overview in a terminal, shown anew again and again."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from afterwork.cli.overview_text import hour_rows, number_rows
from afterwork.cli.printing import error_text, sparkline
from afterwork.clock import Clock
from afterwork.errors import AfterworkError
from afterwork.insight import Attention, Overview

STYLES = {"ticket": "blue", "timer": "magenta", "cache": "green", "machine": "cyan", "once": "yellow", "failed": "red"}

CHARACTERS_BESIDE_BARS = 20
"""Characters of a row of the last hour beside its bars."""


@dataclass(frozen=True)
class OverviewReading:
    """What was last seen, and when; and why nothing could be seen since, if so."""

    now: datetime
    overview: Overview | None = None
    read_at: datetime | None = None
    problem: str = ""


def watch(read: Callable[[], Overview], clock: Clock, twin: Callable[[str], str], seconds: float) -> None:
    """Look each so many seconds, until Ctrl-C."""
    show_readings(readings(read, clock), Console(), twin, partial(time.sleep, seconds))


def readings(read: Callable[[], Overview], clock: Clock) -> Iterator[OverviewReading]:
    """Looks, one after the other. That the database can't be read ends none of it: it may come back."""
    last = OverviewReading(clock.now())
    while True:
        try:
            found = read()
        except (AfterworkError, SQLAlchemyError) as error:
            last = replace(last, now=clock.now(), problem=error_text(error))
        else:
            last = OverviewReading(clock.now(), found, clock.now())
        yield last


def show_readings(
    looked: Iterator[OverviewReading], console: Console, twin: Callable[[str], str], pause: Callable[[], object]
) -> None:
    """Show each look in the place of the one before. Ctrl-C is how it is meant to end."""
    with Live(console=console, auto_refresh=False) as live, suppress(KeyboardInterrupt):
        for one in looked:
            live.update(view(one, console.width, twin), refresh=True)
            pause()


def view(looked: OverviewReading, width: int, twin: Callable[[str], str]) -> RenderableType:
    """One look, in a terminal of some width."""
    parts: list[RenderableType] = [Text(f"{looked.now:%H:%M:%S} UTC, Ctrl-C ends", style="dim")]
    if looked.problem:
        seen = "" if looked.read_at is None else f" Below is what there was at {looked.read_at:%H:%M:%S} UTC."
        parts.append(Text(f"{looked.problem} Looking on.{seen}", style="bold red"))
    if looked.overview is not None:
        needs = (line for one in looked.overview.attention for line in _need(one, twin))
        parts += [Text(), _numbers(looked.overview), Text(), _hour(looked.overview, width), Text(), *needs]
        parts += [] if looked.overview.attention else [Text("Nothing needs attention.", style="green")]
    return Group(*parts)


def _numbers(found: Overview) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(style="bold", overflow="fold")
    for name, value in number_rows(found):
        table.add_row(name, Text(value))
    return table


def _hour(found: Overview, width: int) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, values in hour_rows(found.minutes):
        bars = sparkline(values, max(5, width - CHARACTERS_BESIDE_BARS))
        table.add_row(name, Text(bars, style=STYLES.get(name, "")), f"{sum(values):,}")
    return table


def _need(one: Attention, twin: Callable[[str], str]) -> Iterator[Text]:
    style = "bold red" if one.is_urgent else "yellow"
    yield Text.assemble((f"{'!' if one.is_urgent else '-'} {one.what}.", style), f" {one.advice}")
    yield Text(f"    {twin(one.command)}", style="dim", overflow="fold")

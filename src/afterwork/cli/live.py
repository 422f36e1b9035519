"""`afterwork status --watch`: the overview in a terminal, refreshed at intervals."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from afterwork.cli.overview_text import MARKS, detail_lines, hour_rows, number_rows
from afterwork.cli.printing import error_text, sparkline
from afterwork.clock import Clock
from afterwork.errors import AfterworkError
from afterwork.insight import Attention, Overview
from afterwork.insight.attention import Level
from afterwork.insight.verdict import Light

STYLES = {"ticket": "blue", "timer": "magenta", "cache": "green", "machine": "cyan", "once": "yellow", "failed": "red"}

ATTENTION_STYLES: Mapping[Level, str] = {"alarm": "bold red", "warning": "yellow", "note": "dim"}
LIGHT_STYLES: Mapping[Light, str] = {"red": "bold red", "amber": "bold yellow", "green": "bold green"}

CHARACTERS_BESIDE_BARS = 20
"""Characters of a row of the last hour beside its bars."""


@dataclass(frozen=True)
class OverviewReading:
    """The last overview that was read, and when; and why it could not be read since, if so."""

    now: datetime
    overview: Overview | None = None
    read_at: datetime | None = None
    problem: str = ""


def watch(read: Callable[[], Overview], clock: Clock, twin: Callable[[str], str], seconds: float) -> None:
    """Show the overview every `seconds`, until Ctrl-C."""
    show_readings(readings(read, clock), Console(), twin, partial(time.sleep, seconds))


def readings(read: Callable[[], Overview], clock: Clock) -> Iterator[OverviewReading]:
    """Yield readings. An unreachable database ends nothing: it may come back."""
    last = OverviewReading(clock.now())
    while True:
        try:
            overview = read()
        except (AfterworkError, SQLAlchemyError) as error:
            last = replace(last, now=clock.now(), problem=error_text(error))
        else:
            last = OverviewReading(clock.now(), overview, clock.now())
        yield last


def show_readings(
    shown: Iterator[OverviewReading], console: Console, twin: Callable[[str], str], pause: Callable[[], object]
) -> None:
    """Show each reading in the place of the previous one, until Ctrl-C."""
    with Live(console=console, auto_refresh=False) as live, suppress(KeyboardInterrupt):
        for reading in shown:
            live.update(view(reading, console.width, twin), refresh=True)
            pause()


def view(reading: OverviewReading, width: int, twin: Callable[[str], str]) -> RenderableType:
    """Return a reading as it is shown in a terminal of some width."""
    parts: list[RenderableType] = [Text(f"{reading.now:%H:%M:%S} UTC, Ctrl-C ends", style="dim")]
    if reading.problem:
        seen = "" if reading.read_at is None else f" Below is the state at {reading.read_at:%H:%M:%S} UTC."
        parts.append(Text(f"{reading.problem} Trying again.{seen}", style="bold red"))
    if reading.overview is not None:
        needs = (line for item in reading.overview.attention for line in _need(item, twin))
        judged = reading.overview.verdict
        parts.append(Text(str(judged), style=LIGHT_STYLES[judged.light]))
        parts += [Text(), _numbers(reading.overview), Text(), _hour(reading.overview, width), Text(), *needs]
        parts += [] if reading.overview.attention else [Text("Nothing needs attention.", style="green")]
    return Group(*parts)


def _numbers(overview: Overview) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(style="bold", overflow="fold")
    for name, value in number_rows(overview):
        table.add_row(name, Text(value))
    return table


def _hour(overview: Overview, width: int) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, values in hour_rows(overview.minutes):
        bars = sparkline(values, max(5, width - CHARACTERS_BESIDE_BARS))
        table.add_row(name, Text(bars, style=STYLES.get(name, "")), f"{sum(values):,}")
    return table


def _need(attention: Attention, twin: Callable[[str], str]) -> Iterator[Text]:
    style = ATTENTION_STYLES[attention.level]
    yield Text.assemble((f"{MARKS[attention.level]} {attention.what}.", style), f" {attention.advice}")
    yield from (Text(f"    {line}", overflow="fold") for line in detail_lines(attention))
    yield Text(f"    {twin(attention.command)}", style="dim", overflow="fold")

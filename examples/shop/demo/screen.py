"""What the demo shows: a live panel in a terminal, a line each second elsewhere, or objects of JSON."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Protocol

import click
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from afterwork.cli.printing import print_line
from examples.shop.demo.conclusion import Conclusion
from examples.shop.demo.look import Look
from examples.shop.demo.orders import in_words


@dataclass(frozen=True)
class Introduction:
    """What begins: a server in a process, which shows its page, and so many writers, for some seconds."""

    database: str
    process: int
    page: str
    writers: int
    seconds: float


@dataclass(frozen=True)
class Rest:
    """What is left: a database, the command that removes it, and commands that ask it."""

    database: str
    removal: str
    commands: Sequence[str]


class Screen(Protocol):
    """Shows the demo."""

    interval: float
    """Seconds between two readings."""

    def introduce(self, introduction: Introduction) -> None:
        """Say what begins."""

    def open(self) -> AbstractContextManager[object]:
        """Return a context in which readings are shown."""

    def show(self, look: Look, per_second: float, share: float) -> None:
        """Show a reading. `share` is the part of the time that is over, from 0 to 1."""

    def conclude(self, conclusion: Conclusion, rest: Rest) -> None:
        """Say how it has ended, and what is left."""


class InWords:
    """What the screens for people have in common."""

    def open(self) -> AbstractContextManager[object]:
        return nullcontext()

    def introduce(self, introduction: Introduction) -> None:
        given = introduction
        click.echo(f"A shop in {given.database}")
        click.echo(
            f"Its server is process {given.process}. {given.writers} writers save and change for {given.seconds:g} s."
        )
        click.echo(f"Watch it: {given.page}\n")

    def conclude(self, conclusion: Conclusion, rest: Rest) -> None:
        click.echo()
        for line in conclusion.lines():
            click.echo(line)
        click.echo(f"\nThe database is kept ({rest.removal} removes it). Ask it, for example:")
        for command in rest.commands:
            click.echo(f"  {command}")


class Lines(InWords):
    """A screen that prints a line each second."""

    interval = 1.0

    def show(self, look: Look, per_second: float, share: float) -> None:
        click.echo(
            f"{look.moment:5.1f} s  created {look.created:6,}  numbered {look.numbered:6,}  waiting {look.waiting:5,}  "
            f"{per_second:6,.0f} a second  latency p50 {_ms(look.p50)}, p99 {_ms(look.p99)}  "
            f"changed {look.saved.changes:6,}  stale {look.stale:5,}, for {_ms(look.oldest)}  "
            f"orders: {in_words(look.standing)}"
        )


class JsonLines:
    """A screen that prints an object of JSON each second, one before the first, and one at the end."""

    interval = 1.0

    def open(self) -> AbstractContextManager[object]:
        return nullcontext()

    def introduce(self, introduction: Introduction) -> None:
        print_line(introduction)

    def show(self, look: Look, per_second: float, share: float) -> None:
        print_line({**asdict(look), "per_second": per_second, "share": share})

    def conclude(self, conclusion: Conclusion, rest: Rest) -> None:
        print_line({**asdict(conclusion), **asdict(rest)})


class LivePanel(InWords):
    """A screen with a panel that is redrawn a few times each second."""

    interval = 0.25

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8)

    def open(self) -> Live:
        return self._live

    def show(self, look: Look, per_second: float, share: float) -> None:
        table = Table.grid(padding=(0, 3))
        for style in ("dim", "bold", "dim", "bold"):
            table.add_column(style=style, justify="right", min_width=9)
        table.add_row("created", f"{look.created:,}", "per second", f"{per_second:,.0f}")
        table.add_row("numbered", f"{look.numbered:,}", "latency p50", _ms(look.p50))
        table.add_row("waiting", f"{look.waiting:,}", "p99", _ms(look.p99))
        table.add_row()
        table.add_row("changed", f"{look.saved.changes:,}", "stale for", _ms(look.oldest))
        table.add_row("stale", f"{look.stale:,}", "", "")
        table.add_row()
        standing = [cell for state, count in look.standing.items() for cell in (state, f"{count:,}")]
        for start in range(0, len(standing), 4):
            table.add_row(*standing[start : start + 4])
        bar = ProgressBar(total=1.0, completed=share, width=50)
        self._live.update(Panel(Group(table, Text(), bar), title=f"{look.moment:.0f} s", width=60, padding=(1, 2)))


def screen(*, plain: bool, as_json: bool) -> Screen:
    """Return a screen as it is asked for, or else a live panel if the output is a terminal."""
    if as_json:
        return JsonLines()
    console = Console()
    return Lines() if plain or not console.is_terminal else LivePanel(console)


def _ms(milliseconds: float | None) -> str:
    return "    –" if milliseconds is None else f"{milliseconds:,.0f} ms"

"""The demo's progress: a live panel in a terminal, a line each second elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from examples.shop.demo.look import Look
from examples.shop.demo.orders import in_words


class Screen(Protocol):
    """Shows the progress."""

    interval: float
    """Seconds between two readings."""

    def show(self, look: Look, per_second: float, share: float) -> None:
        """Show a reading. `share` is the part of the time that is over, from 0 to 1."""


class Lines:
    """A screen that prints a line each second."""

    interval = 1.0

    def show(self, look: Look, per_second: float, share: float) -> None:
        click.echo(
            f"{look.moment:5.1f} s  created {look.created:6,}  numbered {look.numbered:6,}  waiting {look.waiting:5,}  "
            f"{per_second:6,.0f} a second  latency p50 {_ms(look.p50)}, p99 {_ms(look.p99)}  "
            f"changed {look.saved.changes:6,}  stale {look.stale:5,}, for {_ms(look.oldest)}  "
            f"orders: {in_words(look.standing)}"
        )


class LivePanel:
    """A screen with a panel that is redrawn a few times each second."""

    interval = 0.25

    def __init__(self, live: Live) -> None:
        self._live = live

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


@contextmanager
def screen(plain: bool) -> Iterator[Screen]:
    """Yield a live panel if the output is a terminal and `plain` is false, otherwise lines."""
    console = Console()
    if plain or not console.is_terminal:
        yield Lines()
    else:
        with Live(console=console, refresh_per_second=8) as live:
            yield LivePanel(live)


def _ms(milliseconds: float | None) -> str:
    return "    –" if milliseconds is None else f"{milliseconds:,.0f} ms"

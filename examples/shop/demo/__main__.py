"""The demo: a server, writers, live progress, and at the end a check that all numbers are right."""

import signal
import sys
import time

import click
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from examples.shop.demo.look import Look, faults, latencies, look, pending, percentile
from examples.shop.demo.screen import Screen, screen
from examples.shop.demo.stage import Server, serving, stage
from examples.shop.demo.writers import Writers, writing

WHERE = (
    "A new SQLite file, or a PostgreSQL database, in which it keeps to a schema of its own and drops it at the end. "
    "If not given: a SQLite file in a temporary folder."
)

DRAIN_WITHIN = 60
"""Seconds after which what still waits counts as left undone."""


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), default=15, show_default=True, help="How long writers write.")
@click.option("--database", metavar="URL", help=WHERE)
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed makes the same customers.")
@click.option("--plain", is_flag=True, help="Lines instead of a live panel.")
def main(seconds: float, database: str | None, seed: int, plain: bool) -> None:
    """A shop at work: writers save customers and orders with tickets, a server gives them numbers without gaps."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended, too
    try:
        with stage(database) as (url, engine):
            is_right = play(url, engine, seconds, seed, plain)
    except SQLAlchemyError as error:
        raise click.ClickException(
            f"The database says: {error.orig if isinstance(error, DBAPIError) else error}"
        ) from None
    except KeyboardInterrupt:
        click.echo("\nStopped before the end. All that was started has ended, too.", err=True)
        sys.exit(130)
    sys.exit(0 if is_right else 1)


def play(url: URL, engine: Engine, seconds: float, seed: int, plain: bool) -> bool:
    """Play the demo and tell what came of it. Returns whether all is right."""
    with serving(url) as server:
        introduce(url, server, seconds)
        server.wait_until_ready(engine)
        with writing(engine, seed) as writers, screen(plain) as shown:
            progress = Progress(engine, writers, shown, seconds)
            wrote_for = write(server, writers, progress)
            drained_in = drain(engine, server, progress)
        exit_code = server.stop()
        problems = [*faults(engine), *([f"The server ended with exit code {exit_code}."] if exit_code else [])]
        conclude(engine, writers, wrote_for, drained_in, problems)
        if said := server.said():
            click.echo(f"\nThe server's log says:\n{said}")
    return not problems


def introduce(url: URL, server: Server, seconds: float) -> None:
    click.echo(f"A shop in {url.render_as_string()}")
    click.echo(f"Its server is process {server.process}. Three writers save customers and orders for {seconds:g} s.\n")


class Progress:
    """Looks at the shop, and shows what it saw."""

    def __init__(self, engine: Engine, writers: Writers, shown: Screen, seconds: float) -> None:
        self._engine = engine
        self._writers = writers
        self._shown = shown
        self._seconds = seconds
        self._began = time.monotonic()
        self._last = Look(0.0, 0, 0, None, None)
        self.interval = shown.interval

    @property
    def moment(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    @property
    def is_over(self) -> bool:
        return self.moment >= self._seconds

    def show(self) -> None:
        """Look once, and show it."""
        seen = look(self._engine, self.moment, self._writers.customers + self._writers.orders)
        per_second = (seen.numbered - self._last.numbered) / (seen.moment - self._last.moment)
        self._shown.show(seen, per_second, min(1.0, seen.moment / self._seconds))
        self._last = seen

    def rest(self) -> None:
        """Until the next look is worth while, but not longer than the time that writers have."""
        next_look = self._last.moment + self.interval
        time.sleep(max(0.0, min(next_look, self._seconds) - self.moment))


def write(server: Server, writers: Writers, progress: Progress) -> float:
    """Let writers write for their time, as long as all goes well. Returns how many seconds they did."""
    while not progress.is_over and server.is_running and not writers.have_failed:
        progress.rest()
        progress.show()
    writers.stop()
    return progress.moment


def drain(engine: Engine, server: Server, progress: Progress) -> float:
    """Wait until all that was asked for is done. Returns how many seconds that took."""
    began = shown = time.monotonic()
    while pending(engine) and server.is_running and time.monotonic() - began < DRAIN_WITHIN:
        if time.monotonic() - shown > progress.interval:
            progress.show()
            shown = time.monotonic()
        time.sleep(0.01)
    return time.monotonic() - began


def conclude(engine: Engine, writers: Writers, wrote_for: float, drained_in: float, problems: list[str]) -> None:
    took = latencies(engine)
    click.echo()
    click.echo(f"Saved     {writers.customers:,} customers and {writers.orders:,} orders in {wrote_for:.1f} s")
    click.echo(f"Done      {len(took):,} tickets, the last {drained_in:.2f} s after the writers stopped")
    if took:
        p50, p99 = percentile(took, 0.50), percentile(took, 0.99)
        click.echo(f"Latency   half within {p50:,.0f} ms from saved to done, 99 of 100 within {p99:,.0f} ms")
    for problem in problems:
        click.echo(f"WRONG     {problem}")
    if not problems:
        click.echo(f"Numbers   customers 1 to {writers.customers:,}, orders 1 to {writers.orders:,}: no gap, no double")


if __name__ == "__main__":
    main(prog_name="python -m examples.shop.demo")

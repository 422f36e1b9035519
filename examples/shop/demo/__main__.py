"""The demo: a server, writers, live progress, and a final check that everything is right."""

import signal
import sys
import time
from collections.abc import Sequence

import click
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from examples.shop import ExportOrder, ShipOrder, app
from examples.shop.bookkeeping import Bookkeeping, Mood, open_for_business
from examples.shop.demo.ask import commands
from examples.shop.demo.conclusion import conclusion
from examples.shop.demo.look import NOTHING, faults, is_at_work, look, lost, unrested, untold
from examples.shop.demo.on_call import faults_of, play_on_call, teller
from examples.shop.demo.orders import stuck
from examples.shop.demo.proof import prove
from examples.shop.demo.screen import Introduction, Rest, Screen, screen
from examples.shop.demo.stage import Outside, Server, Stage, serving, stage
from examples.shop.demo.trouble import FAULTS
from examples.shop.demo.writers import WRITERS, Writers, stock_up, writing

WHERE = (
    "A new SQLite file, or a PostgreSQL database, in which the demo uses a schema of its own. "
    "By default, a SQLite file in a temporary folder. At its end, the demo says how to remove it."
)

SOME_DAY: list[Mood] = ["well", "well", "well", "well", "well", "well", "well", "slow", "drops"]
"""The bookkeeping's treatment of requests: now and then it accepts one and hangs up."""

DRAIN_WITHIN = 60
"""Seconds after which work that is still waiting counts as not done."""


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=15,
    show_default=True,
    help="How long writers write, or how long each trouble stays.",
)
@click.option("--database", metavar="URL", help=WHERE)
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed makes the same customers.")
@click.option("--plain", is_flag=True, help="Lines instead of a live panel.")
@click.option(
    "--as-data",
    is_flag=True,
    help="Serve the shop whose jobs are data. It exports every ten minutes, as its file says.",
)
@click.option(
    "--trouble",
    is_flag=True,
    help="Let things go wrong one after another, and say what the web page makes of each. It stays to be looked at.",
)
@click.option(
    "--only",
    "names",
    multiple=True,
    type=click.Choice([fault.name for fault in FAULTS]),
    help="With --trouble: let only this go wrong.",
)
@click.option("--json", "as_json", is_flag=True, help="Print objects of JSON, one a line: progress, and how it ends.")
def main(
    seconds: float,
    database: str | None,
    seed: int,
    plain: bool,
    as_data: bool,
    trouble: bool,
    names: Sequence[str],
    as_json: bool,
) -> None:
    """Show a shop at work. Writers save and change customers and orders. A server gives them numbers without gaps, and
    keeps totals, stock levels and overdue flags right."""
    if (trouble and as_data) or (names and not trouble):
        raise click.UsageError("--trouble plays the shop whose jobs are code, and --only chooses from its troubles.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended, too
    served = "examples.shop_as_data:app" if as_data else "examples.shop:app"
    try:
        with stage(database, served) as found:
            if trouble:
                faults = faults_of(found.url.get_backend_name(), names, seed)
                is_right = play_on_call(found, faults, seconds, seed, teller(as_json=as_json))
            else:
                is_right = play(found, seconds, seed, screen(plain=plain, as_json=as_json), served)
    except SQLAlchemyError as error:
        raise click.ClickException(
            f"The database says: {error.orig if isinstance(error, DBAPIError) else error}"
        ) from None
    except KeyboardInterrupt:
        click.echo("\nStopped before the end. All that was started has ended, too.", err=True)
        sys.exit(130)
    sys.exit(0 if is_right else 1)


def play(found: Stage, seconds: float, seed: int, shown: Screen, served: str) -> bool:
    """Play the demo, and print the result. Returns whether everything is right."""
    engine = found.engine
    stock_up(engine)
    bookkeeping, carrier, messenger = (Bookkeeping(SOME_DAY) for _ in range(3))
    with (
        open_for_business(bookkeeping) as office,
        open_for_business(carrier) as depot,
        open_for_business(messenger) as post,
        serving(served, found.url, Outside(office, depot, post)) as server,
    ):
        where = found.url.render_as_string()
        shown.introduce(Introduction(where, server.process, f"http://{server.page}/", len(WRITERS), seconds))
        server.wait_until_ready(engine)
        with writing(engine, seed) as writers, shown.open():
            progress = Progress(engine, writers, shown, seconds)
            wrote_for = write(server, writers, progress)
            end_exports(engine)
            drained_in = drain(engine, server, progress)
        exit_code = server.stop()
        left = unrested(engine)
        proof = prove(engine)
        problems = [
            *faults(engine),
            *([f"Calculated values: {left:,} changes or values are still unmatched or stale."] if left else []),
            *proof.examples,
            *stuck(engine),
            *lost(engine, bookkeeping),
            *untold(writers.saved.news, messenger),
            *([f"The server ended with exit code {exit_code}."] if exit_code else []),
        ]
        saved, log = writers.saved, server.said()
        ended = conclusion(engine, saved, wrote_for, drained_in, proof, bookkeeping, messenger, problems, log)
    found.is_kept = True
    shown.conclude(ended, Rest(where, found.removal, list(commands(found))))
    return not problems


class Progress:
    """The progress of the demo, read from the shop's database and shown on a screen."""

    def __init__(self, engine: Engine, writers: Writers, shown: Screen, seconds: float) -> None:
        self._engine = engine
        self._writers = writers
        self._shown = shown
        self._seconds = seconds
        self._began = time.monotonic()
        self._last = NOTHING
        self.interval = shown.interval

    @property
    def moment(self) -> float:
        """The seconds since the beginning."""
        return time.monotonic() - self._began

    @property
    def is_over(self) -> bool:
        return self.moment >= self._seconds

    def show(self) -> None:
        """Read the current state, and show it."""
        seen = look(self._engine, self.moment, self._writers.saved)
        per_second = (seen.numbered - self._last.numbered) / (seen.moment - self._last.moment)
        self._shown.show(seen, per_second, min(1.0, seen.moment / self._seconds))
        self._last = seen

    def rest(self) -> None:
        """Sleep until the next reading, or until the writers' time is over."""
        next_look = self._last.moment + self.interval
        time.sleep(max(0.0, min(next_look, self._seconds) - self.moment))


def write(server: Server, writers: Writers, progress: Progress) -> float:
    """Let the writers write until their time is over or something fails. Returns the seconds that they wrote."""
    while not progress.is_over and server.is_running and not writers.have_failed:
        progress.rest()
        progress.show()
    writers.stop()
    return progress.moment


def end_exports(engine: Engine) -> None:
    """Stop sending orders and parcels, so that the shop can become idle. Requests in progress are given up: they would
    be sent again, with the same key."""
    control = app.control(engine)
    for timer in (ExportOrder, ShipOrder):
        control.pause(timer.__name__)
        control.cancel(timer.__name__)


def drain(engine: Engine, server: Server, progress: Progress) -> float:
    """Wait until all tickets are done and nothing is stale. Returns the seconds that this took."""
    began = shown = time.monotonic()
    while server.is_running and time.monotonic() - began < DRAIN_WITHIN and is_at_work(engine):
        if time.monotonic() - shown > progress.interval:
            progress.show()
            shown = time.monotonic()
        time.sleep(0.02)
    return time.monotonic() - began


if __name__ == "__main__":
    main(prog_name="python -m examples.shop.demo")

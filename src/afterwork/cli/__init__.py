"""The command line: `afterwork serve MODULE:APP --database URL`, and what looks after it."""

import importlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from afterwork.app import Afterwork
from afterwork.cli.arguments import as_json, engine_at, object_at, seconds, the_app, the_database
from afterwork.cli.printing import (
    cache_lines,
    dry_lines,
    finding_lines,
    impact_lines,
    machine_lines,
    model_lines,
    model_view,
    once_lines,
    say,
    status_lines,
    ticket_lines,
    timer_lines,
    value_lines,
    value_view,
    verified_lines,
)
from afterwork.errors import AfterworkError
from afterwork.insight import Finding, State

REPOSITORY = Path(__file__).resolve().parents[3]
"""Where the examples are, if the package is installed from its repository."""


@contextmanager
def _told_plainly() -> Iterator[None]:
    """What a user can do something about becomes one message, and no traceback."""
    try:
        yield
    except DBAPIError as error:
        raise click.ClickException(f"The database says: {str(error.orig).strip()}") from None
    except (AfterworkError, SQLAlchemyError) as error:
        raise click.ClickException(str(error)) from None


LEVELS = ("debug", "info", "warning", "error")


class PlainGroup(click.Group):
    """Commands whose errors are told plainly."""

    def invoke(self, ctx: click.Context) -> Any:
        with _told_plainly():
            return super().invoke(ctx)


@click.group(cls=PlainGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="afterwork", message="afterwork %(version)s")
def main() -> None:
    """Does stuff later, in the database you already have.

    MODULE:APP says where your aw.Afterwork(…) is: shop:app is `app` in shop.py.
    """


@main.command()
@the_app
@the_database()
@click.option("--workers", type=click.IntRange(min=1), help="Runs that go on at the same time.")
@click.option("--grace", type=seconds, metavar="SECONDS", help="How long a stop waits for runs.")
@click.option("--lease", type=seconds, metavar="SECONDS", help="How long a silent server keeps what it runs.")
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
def serve(app: Afterwork, url: URL, log_level: str, **settings: Any) -> None:
    """Run jobs until SIGTERM or Ctrl-C. Exits with 1 if some did not end in time."""
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(message)s", level=logging.WARNING)
    logging.getLogger("afterwork").setLevel(log_level.upper())
    app.settings = replace(app.settings, **{name: value for name, value in settings.items() if value is not None})
    with engine_at(url) as engine:
        unfinished = app.serve(engine)
    sys.exit(1 if unfinished else 0)


@main.command()
@the_app
@the_database()
@as_json
def install(app: Afterwork, url: URL, as_json: bool) -> None:
    """Make or update Afterwork's tables, and what it needs on the ticket table. Doing it again does nothing."""
    with engine_at(url) as engine:
        done = app.install(engine)
    say("\n".join(done) or "All is there already.", {"done": done}, as_json)


@main.command()
@the_app
@the_database(required=False)
@click.option("--repair", is_flag=True, help="Install what is missing, and let all caches run again.")
@as_json
def check(app: Afterwork, url: URL | None, repair: bool, as_json: bool) -> None:
    """Show what can be asked for, and check a database if one is given. Exits with 1 if something is not right.

    After a restore, or after changes while triggers were switched off, --repair lets all caches run again.
    """
    model = model_view(app.model)
    if repair and url is None:
        raise click.UsageError("--repair needs --database URL.")
    if repair and url is not None:
        with engine_at(url) as engine:
            for line in app.repair(engine):
                click.echo(line, err=True)
    findings = _findings(app, url) if url else []
    text = "\n".join([*model_lines(model), "", *(finding_lines(findings) if url else [NO_DATABASE])])
    say(text, {"model": model, "findings": findings if url else None}, as_json)
    sys.exit(1 if any(finding.is_fault for finding in findings) else 0)


def _findings(app: Afterwork, url: URL) -> Sequence[Finding]:
    with engine_at(url) as engine:
        return app.insight(engine).check()


NO_DATABASE = "No database was given, so none was checked. Add --database URL."


@main.command()
@the_app
@the_database()
@as_json
def status(app: Afterwork, url: URL, as_json: bool) -> None:
    """Show what waits and runs, and which servers are there."""
    with engine_at(url) as engine:
        found = app.insight(engine).status()
    say("\n".join(status_lines(found)), found, as_json)


@main.command()
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


@main.command()
@the_app
@click.argument("key")
@the_database()
@as_json
def retry(app: Afterwork, key: str, url: URL, as_json: bool) -> None:
    """Let the ticket KEY run as soon as possible, also if it has ended."""
    with engine_at(url) as engine:
        app.control(engine).retry(key)
    say(f"Ticket {key} runs as soon as a server comes to it.", {"ticket": key, "state": "pending"}, as_json)


@main.command()
@the_app
@the_database()
@as_json
def timers(app: Afterwork, url: URL, as_json: bool) -> None:
    """Show each timer: when it is due, and what came of its last round."""
    with engine_at(url) as engine:
        found = app.insight(engine).timers()
    say("\n".join(timer_lines(found)), found, as_json)


@main.command()
@the_app
@the_database()
@click.option(
    "--svg",
    metavar="[FOLDER]",
    is_flag=False,
    flag_value=Path("."),
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the diagram of each machine into FOLDER, or here, with the number of objects in each state.",
)
@as_json
def machines(app: Afterwork, url: URL, svg: Path | None, as_json: bool) -> None:
    """Show each state machine: how many objects are in each state, which has been there for longest, and what would
    move them next."""
    with engine_at(url) as engine:
        insight = app.insight(engine)
        found = insight.machines()
        diagrams = insight.diagrams() if svg is not None else {}
    say("\n".join(machine_lines(found)), found, as_json)
    for name, diagram in diagrams.items():
        assert svg is not None
        svg.mkdir(parents=True, exist_ok=True)
        (svg / f"{name}.svg").write_text(diagram, encoding="utf-8")
        click.echo(f"{svg / name}.svg written", err=True)


@main.command()
@the_app
@the_database()
@as_json
def reload(app: Afterwork, url: URL, as_json: bool) -> None:
    """Let the servers on this machine read their files of jobs again, without a restart."""
    with engine_at(url) as engine:
        told = app.control(engine).reload()
    text = f"Told {len(told)} servers: {', '.join(map(str, told))}" if told else "No server runs on this machine."
    say(text, {"processes": told}, as_json)


@main.command("shell")
@the_app
@the_database()
def open_shell(app: Afterwork, url: URL) -> None:
    """Evaluate expressions in OCL, one after the other, with completion and a history. Changes nothing."""
    from afterwork.cli.shell import Shell

    with engine_at(url) as engine:
        Shell(app, engine).run()


@main.command("eval")
@the_app
@click.argument("text")
@the_database()
@click.option("--on", "root", metavar="ROOT", help="The object that is self, as its external id: Customer!42.")
@as_json
def evaluate(app: Afterwork, text: str, url: URL, root: str | None, as_json: bool) -> None:
    """Evaluate TEXT, an expression in OCL: "Customer.allInstances->select(number->isNull)->size". Changes nothing."""
    with engine_at(url) as engine, Session(engine) as session:
        itself = None if root is None else object_at(session, root, app)
        value = value_view(app.evaluate(session, text, itself))
    say("\n".join(value_lines(value)), value, as_json)


@main.command()
@the_app
@the_database()
@click.option("--retry", metavar="NAME", help="Let the action NAME, which has failed, run again.")
@as_json
def once(app: Afterwork, url: URL, retry: str | None, as_json: bool) -> None:
    """Show what runs once per database: what has run, when, and what came of it."""
    with engine_at(url) as engine:
        if retry is not None:
            app.control(engine).retry_once(retry)
        found = app.insight(engine).once()
    say("\n".join(once_lines(found)), found, as_json)


@main.command()
@the_app
@click.argument("timer")
@the_database()
@click.option("--dry", is_flag=True, help="Only show which objects would be hit. Changes nothing.")
@as_json
def run(app: Afterwork, timer: str, url: URL, dry: bool, as_json: bool) -> None:
    """Let TIMER have a round now, besides those at its due times. A server runs what it hits."""
    with engine_at(url) as engine:
        if dry:
            found = app.control(engine).dry_run(timer)
            say("\n".join(dry_lines(timer, found)), {"timer": timer, "would_hit": found}, as_json)
        else:
            count = app.run_now(engine, timer)
            say(f"{timer} hits {count:,}. Servers run them now.", {"timer": timer, "hits": count}, as_json)


@main.command()
@the_app
@click.argument("timer")
@the_database()
@as_json
def cancel(app: Afterwork, timer: str, url: URL, as_json: bool) -> None:
    """End what is left of the round of TIMER, and ask what runs to stop."""
    with engine_at(url) as engine:
        found = app.control(engine).cancel(timer)
    asked = f", and {found.asked_to_stop:,} that run were asked to stop" if found.asked_to_stop else ""
    facts = {"timer": timer, "cancelled": found.ended, "asked_to_stop": found.asked_to_stop}
    say(f"{found.ended:,} hits of {timer} cancelled{asked}.", facts, as_json)


@main.command()
@the_app
@the_database()
@as_json
def caches(app: Afterwork, url: URL, as_json: bool) -> None:
    """Show each cache over all objects: fresh, stale, failed, its runs, and how far it is filled."""
    with engine_at(url) as engine:
        found = app.insight(engine).caches()
    say("\n".join(cache_lines(found)), found, as_json)


@main.command()
@the_app
@click.argument("root")
@click.argument("cache")
@the_database()
@as_json
def explain(app: Afterwork, root: str, cache: str, url: URL, as_json: bool) -> None:
    """Show why CACHE of ROOT is what it is: what it read, and what made it run. (Customer!42 total)"""
    with engine_at(url) as engine, Session(engine) as session:
        found = app.explain(object_at(session, root, app), cache)
    say(str(found), found, as_json)


@main.command()
@the_app
@click.argument("root")
@click.argument("member")
@the_database()
@as_json
def impact(app: Afterwork, root: str, member: str, url: URL, as_json: bool) -> None:
    """Show the caches that become stale if MEMBER of ROOT changes. (Line!7 quantity)"""
    with engine_at(url) as engine, Session(engine) as session:
        found = app.impact(object_at(session, root, app), member)
    say("\n".join(impact_lines(found, root, member)), found, as_json)


@main.command()
@the_app
@the_database()
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Of each cache only N, picked by chance.")
@as_json
def verify(app: Afterwork, url: URL, sample: int | None, as_json: bool) -> None:
    """Calculate again without storing, and show what differs. Exits with 1 if something does."""
    with engine_at(url) as engine:
        found = app.verify(engine, sample)
    say("\n".join(verified_lines(found)), found, as_json)
    sys.exit(1 if found.differences else 0)


@main.command()
@the_app
@click.argument("name")
@the_database()
@as_json
def pause(app: Afterwork, name: str, url: URL, as_json: bool) -> None:
    """Let the timer NAME not fire, or no more jobs of the lane NAME begin, over all servers. What runs goes on."""
    with engine_at(url) as engine:
        app.control(engine).pause(name)
    kind = _kind(app, name)
    say(
        f"{kind.capitalize()} {name} is paused. What runs goes on; nothing more begins.",
        {kind: name, "paused": True},
        as_json,
    )


def _kind(app: Afterwork, name: str) -> str:
    return "timer" if name in app.model.timers else "lane"


@main.command()
@the_app
@click.argument("name")
@the_database()
@as_json
def resume(app: Afterwork, name: str, url: URL, as_json: bool) -> None:
    """Let the timer NAME fire, or jobs of the lane NAME begin, again."""
    with engine_at(url) as engine:
        app.control(engine).resume(name)
    kind = _kind(app, name)
    say(f"{kind.capitalize()} {name} is open.", {kind: name, "paused": False}, as_json)


@main.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def demo(options: Sequence[str]) -> None:
    """Show a shop at work: a server, writers, numbers without gaps, and right totals. (--help for its options)"""
    sys.path[:0] = [os.getcwd(), str(REPOSITORY)]
    try:
        found = importlib.import_module("examples.shop.demo.__main__")
    except ModuleNotFoundError as error:
        if str(error.name).startswith("examples"):
            advice = "The demo comes with the repository, not with the package. Run it from there: make demo"
        else:
            advice = f"The demo needs {error.name}. Try: pip install 'afterwork[demo]'"
        raise click.ClickException(advice) from None
    found.main.main(args=list(options), prog_name="afterwork demo")

"""The command line on a whole installation: whether it is right, and what goes on in it."""

import sys
from collections.abc import Iterator, Sequence

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.arguments import as_json, engine_at, the_app, the_database
from afterwork.cli.model import model_lines, model_view
from afterwork.cli.printing import say
from afterwork.insight import Finding, Status


@click.command()
@the_app
@the_database()
@as_json
def install(app: Afterwork, url: URL, as_json: bool) -> None:
    """Make or update Afterwork's tables, and what it needs on the ticket table. Doing it again does nothing."""
    with engine_at(url) as engine:
        done = app.install(engine)
    say("\n".join(done) or "All is there already.", {"done": done}, as_json)


@click.command()
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


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """What was checked, with advice where it is not right."""
    for finding in findings:
        mark = "ok   " if finding.right else "note " if finding.is_note else "WRONG"
        yield f"{mark}  {finding.what}" + ("" if finding.right else f"\n       {finding.advice}")


@click.command()
@the_app
@the_database()
@as_json
def status(app: Afterwork, url: URL, as_json: bool) -> None:
    """Show what waits and runs, and which servers are there."""
    with engine_at(url) as engine:
        found = app.insight(engine).status()
    say("\n".join(status_lines(found)), found, as_json)


def status_lines(status: Status) -> Iterator[str]:
    """What goes on in a database, for people."""
    lanes = ", ".join(f"{count:,} in {lane}" for lane, count in status.waiting.items())
    oldest = "" if status.oldest is None else f"; the oldest for {status.oldest.total_seconds():,.1f} s"
    yield f"waiting  {lanes or 'none'}{oldest}"
    yield f"outside  {status.running:,} running"
    for_ = "" if status.stale_for is None else f"; the first for {status.stale_for.total_seconds():,.1f} s"
    yield f"stale    {status.stale:,} caches{for_}"
    yield f"servers  {', '.join(status.servers) or 'none'}"
    yield f"paused   {', '.join(status.paused) or 'none'}"

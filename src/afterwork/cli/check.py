"""Commands about an installation: install, uninstall and check."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.application import ApplicationCommand, app_argument, as_typed
from afterwork.cli.arguments import OpenedLate, Shown, as_json, command, database_option, engine_at
from afterwork.cli.model import model_lines, model_view
from afterwork.cli.printing import print_result
from afterwork.insight import Finding

NO_DATABASE = "No database was given, so none was checked. Add --database URL."


@command(
    click.option("--grant-to", multiple=True, metavar="ROLE", help="Grant a role of PostgreSQL what a server needs."),
    click.option(
        "--grant-to-writer", multiple=True, metavar="ROLE", help="Grant a role what it needs to save tickets."
    ),
    click.option("--sql", is_flag=True, help="Do nothing, and print the SQL for somebody to run."),
)
def install(
    app: Afterwork, at: OpenedLate, grant_to: tuple[str, ...], grant_to_writer: tuple[str, ...], sql: bool
) -> Shown:
    """Create or update Afterwork's tables, and its triggers and indexes on the ticket table. Idempotent.

    On PostgreSQL, --grant-to grants a role that owns nothing what a server needs; it may be given several times.
    """
    if sql:
        script = app.install_script(at.engine, grant_to=grant_to, grant_to_writers=grant_to_writer)
        return Shown([script or "-- Everything is installed already."], {"sql": script})
    done = app.install(at.engine, grant_to=grant_to, grant_to_writers=grant_to_writer)
    return Shown(done or ["Everything is installed already."], {"done": done})


@command(click.option("--force", is_flag=True, help="Also while servers run, or other applications use it here."))
def uninstall(app: Afterwork, at: OpenedLate, force: bool) -> Shown:
    """Remove all tables, triggers, functions and indexes of Afterwork. The application's own tables stay.

    Pending tickets stay in their table, and nobody runs them. Stop the servers first.
    """
    done = app.uninstall(at.engine, force=force)
    return Shown(done or ["There is nothing of Afterwork here."], {"done": done})


@click.command(cls=ApplicationCommand)
@app_argument
@database_option(required=False)
@click.option("--repair", is_flag=True, help="Install what is missing, and recompute all caches.")
@as_json
def check(app: Afterwork, url: URL | None, repair: bool, as_json: bool) -> None:
    """Show the works of the model, and check a database if one is given. Exits with 1 if something is wrong.

    After a restore, or after changes while triggers were switched off, --repair recomputes all caches.
    """
    model = model_view(app.model)
    if repair and url is None:
        raise click.UsageError("--repair needs --database URL.")
    if repair and url is not None:
        with engine_at(url) as engine:
            for line in app.repair(engine):
                click.echo(line, err=True)
    findings = [_as_typed(finding) for finding in _findings(app, url)] if url else []
    text = "\n".join([*model_lines(model), "", *(finding_lines(findings) if url else [NO_DATABASE])])
    print_result(text, {"model": model, "findings": findings if url else None}, as_json)
    sys.exit(1 if any(finding.is_fault for finding in findings) else 0)


def _as_typed(finding: Finding) -> Finding:
    return replace(finding, advice=as_typed(finding.advice, click.get_current_context()))


def _findings(app: Afterwork, url: URL) -> Sequence[Finding]:
    with engine_at(url) as engine:
        return app.insight(engine).check()


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield findings by topic as text, with advice if they are not right."""
    for topic, group in groupby(findings, lambda finding: finding.topic):
        yield topic
        for finding in group:
            mark = "ok   " if finding.right else "note " if finding.is_note else "WRONG"
            yield f"  {mark}  {finding.what}" + ("" if finding.right else f"\n         {finding.advice}")
    yield ""
    yield _in_short(findings)


def _in_short(findings: Sequence[Finding]) -> str:
    faults = sum(finding.is_fault for finding in findings)
    notes = sum(not finding.right and finding.is_note for finding in findings)
    told = {0: "Nothing is wrong", 1: "1 thing is wrong"}.get(faults, f"{faults} things are wrong")
    return f"{told}; {notes or 'nothing'} more {'is' if notes < 2 else 'are'} worth knowing."

"""Checks that servers are running, and that all clocks agree."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import text

from afterwork.insight import servers
from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store.server_rows import ServerRow

WHY = "Due times are compared with it. Set the clocks of all machines by NTP."


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield the running servers, and clocks that differ."""
    living = servers.living(scene.database, scene.connection, scene.now)
    start = "Start one: afterwork serve MODULE:APP --database URL"
    yield Finding(f"servers: {', '.join(living) or 'none'}", bool(living), start, is_note=True)
    now = scene.now
    if scene.database.dialect == "postgresql":
        now = scene.connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        yield _of_this_machine(scene, now)
    yield from _of_servers(scene, now)


def _of_this_machine(scene: CheckContext, database_time: datetime) -> Finding:
    apart = scene.now - database_time
    what = f"clock of this machine: {_apart(apart)} that of the database"
    return Finding(what, abs(apart) <= scene.limits.clocks_apart, WHY)


def _of_servers(scene: CheckContext, now: datetime) -> Iterator[Finding]:
    """Yield servers whose clocks differ. A server writes its last sign of life every few minutes by its own clock."""
    settings = scene.database.settings
    for row in ServerRow.all(scene.connection):
        silent = now - row.seen
        if silent < -scene.limits.clocks_apart:
            yield Finding(f"server {row.id} on {row.host}: its clock is {_span(-silent)} ahead", False, WHY)
        elif silent > settings.safety_poll + settings.lease * 2 and scene.database.is_alive(scene.connection, row):
            last = f"its last sign of life was {_span(silent)} ago by its own clock"
            what = f"server {row.id} on {row.host} is running, and {last}"
            yield Finding(what, False, f"Its clock is behind, or it is suspended. {WHY}")


def _apart(apart: timedelta) -> str:
    return f"{_span(abs(apart))} {'ahead of' if apart > timedelta(0) else 'behind'}"


def _span(span: timedelta) -> str:
    return f"{span.total_seconds():,.1f} s"

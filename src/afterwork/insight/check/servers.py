"""Checks that servers are running, that they can serve all waiting work, and that all clocks agree."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import text

from afterwork.insight import servers
from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store.routing import STARTS
from afterwork.store.server_rows import ServerRow
from afterwork.store.tickets.statements import tickets_of
from afterwork.store.tickets.walk import TicketWalk

WHY = "Due times are compared with it. Set the clocks of all machines by NTP."


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield the running servers, and those without a free worker."""
    living = servers.living(scene.database, scene.connection, scene.now)
    start = "Start one: afterwork serve MODULE:APP --database URL"
    yield Finding(f"servers: {', '.join(living) or 'none'}", bool(living), start, is_note=True)
    for server in servers.without_workers(scene.database, scene.connection, scene.now):
        what = f"server {server}: no worker is left for external runs, since all that go on take too long"
        yield Finding(what, False, "See them with afterwork lanes. Give them time-outs, or raise Settings.workers.")


def look_at_clocks(scene: CheckContext) -> Iterator[Finding]:
    """Yield clocks that differ: of this machine, and of servers."""
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
            why = "Its clock is behind, or it is suspended, or C code of a run keeps Python from running: end it then."
            yield Finding(what, False, f"{why} {WHY}")


def _apart(apart: timedelta) -> str:
    return f"{_span(abs(apart))} {'ahead of' if apart > timedelta(0) else 'behind'}"


def _span(span: timedelta) -> str:
    return f"{span.total_seconds():,.1f} s"


def look_at_lanes(scene: CheckContext) -> Iterator[Finding]:
    """Yield lanes and sources that no running server serves."""
    views = servers.views(scene.database, scene.connection, (), scene.now)
    living = [server for server in views if server.presence != "gone"]
    if not living:
        return
    tickets = tickets_of(scene.model.contract, scene.database.dialect)
    for lane in TicketWalk(tickets, scene.now).lanes(scene.connection):
        if not any(server.serves.serves(lane, "ticket") for server in living):
            advice = f"Start one that does: afterwork serve MODULE:APP --lanes {lane} --database URL"
            yield Finding(f"tickets wait in the lane {lane}, which no server serves", False, advice)
    is_wanted = {"tickets": True, "timers": bool(scene.model.timers), "caches": bool(scene.model.derivations)}
    for start in STARTS:
        if is_wanted[start] and not any(server.serves.does(start) for server in living):
            yield Finding(f"no server runs {start}", False, "Start one without --only, or with it in that list.")

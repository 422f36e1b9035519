"""Checks that a server serves each lane and source with waiting work."""

from collections.abc import Iterator

from afterwork.insight import servers
from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store.routing import STARTS
from afterwork.store.tickets.statements import tickets_of
from afterwork.store.tickets.walk import TicketWalk


def look(scene: CheckContext) -> Iterator[Finding]:
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

"""Whether what waits has a server: lanes that none serves, and works that none knows."""

from collections.abc import Iterator

from afterwork.insight import servers
from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store.routing import STARTS
from afterwork.store.tickets.statements import tickets_of
from afterwork.store.tickets.walk import TicketWalk


def look(scene: CheckContext) -> Iterator[Finding]:
    """What no server serves that is there, where some are."""
    there = [one for one in servers.views(scene.database, scene.connection, (), scene.now) if one.presence != "gone"]
    if not there:
        return
    tickets = tickets_of(scene.model.contract, scene.database.dialect)
    for lane in TicketWalk(tickets, scene.now).lanes(scene.connection):
        if not any(one.serves.serves(lane, "ticket") for one in there):
            advice = f"Start one that does: afterwork serve MODULE:APP --lanes {lane} --database URL"
            yield Finding(f"tickets wait in the lane {lane}, which no server serves", False, advice)
    is_wanted = {"tickets": True, "timers": bool(scene.model.timers), "caches": bool(scene.model.derivations)}
    for start in STARTS:
        if is_wanted[start] and not any(one.serves.does(start) for one in there):
            yield Finding(f"no server runs {start}", False, "Start one without --only, or with it in that list.")

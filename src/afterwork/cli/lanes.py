"""Commands about lanes and servers, and those that pause timers and lanes."""

from collections.abc import Iterator
from typing import Literal

import click

from afterwork.app import Afterwork
from afterwork.cli.application import as_typed
from afterwork.cli.arguments import OpenedLate, Shown, command, current_user
from afterwork.cli.printing import progress_text, table_lines, utc_text
from afterwork.control import Thing, act_on
from afterwork.errors import UnknownLane, shown
from afterwork.insight import Activity, Insight, LaneView, ServerView
from afterwork.model.known_names import instead_of
from afterwork.model.lane import MAIN, PARALLEL

LANES_HEAD = ("lane", "rule", "now", "waiting", "matches", "oldest since (UTC)", "scheduled")
SERVERS_HEAD = ("server", "state", "process", "host", "started (UTC)", "last sign of life (UTC)", "serves", "knows")


def server_number(context: click.Context, parameter: click.Parameter, given: str) -> int:
    """Return the number of a server that a text gives, or refuse it, with the command that lists servers."""
    if given.isascii() and given.isdigit():
        return int(given)
    advice = as_typed("They are listed by: afterwork lanes MODULE:APP --database URL", context)
    raise click.BadParameter(f"There is no server {shown(given)}. Servers have numbers. {advice}")


@command()
def lanes(app: Afterwork, at: OpenedLate) -> Shown:
    """Show lanes, servers, and runs outside of transactions."""
    activity = app.insight(at.engine).activity()
    return Shown(_activity_lines(activity), activity)


def _activity_lines(activity: Activity) -> Iterator[str]:
    yield from table_lines(LANES_HEAD, [_lane_cells(lane) for lane in activity.lanes])
    yield ""
    yield from table_lines(
        SERVERS_HEAD, [_server_cells(server) for server in activity.servers], "No server is running."
    )
    for run in activity.running:
        said = "" if run.said is None else f", {progress_text(run.said)}"
        work = str(run.work or run.ticket) + ("" if run.root_id is None else f" on {run.root_id}")
        yield f"server {run.server} runs {work} since {utc_text(run.since)} UTC{said}"
    for suspect in activity.suspects:
        what = "is not tried again" if suspect.is_given_up else "is tried alone"
        deaths = f"its {suspect.cause} died {suspect.times} times, last at {utc_text(suspect.at)} UTC"
        yield f"{suspect.what} {what}: {deaths}"


def _server_cells(server: ServerView) -> tuple[str, ...]:
    mark = f"{server.presence}, draining" if server.draining else server.presence
    times, knows = (utc_text(server.started), utc_text(server.seen)), f"{len(server.knows):,} works"
    return (str(server.id), mark, str(server.process), server.host, *times, str(server.serves), knows)


def _lane_cells(lane: LaneView) -> tuple[str, ...]:
    busy = [run.work or run.ticket for run in lane.running]
    locks = [] if lane.held_by is None else [f"a transaction (process {lane.held_by.process})"]
    rate = [] if lane.free_from is None else [f"its rate is used up until {utc_text(lane.free_from)}"]
    now = ", ".join([*(["paused"] if lane.paused else []), *rate, *busy, *locks]) or "free"
    counts = str(lane.waiting), str(lane.matches), utc_text(lane.oldest), str(lane.scheduled)
    return (lane.name, lane.rule, now, *counts)


@command(click.argument("name"))
def pause(app: Afterwork, at: OpenedLate, name: str) -> Shown:
    """Pause the timer NAME, or the lane NAME, over all servers. Current runs go on."""
    return _turn(app, at, "pause", name)


@command(click.argument("server", callback=server_number))
def drain(app: Afterwork, at: OpenedLate, server: int) -> Shown:
    """Drain SERVER: it begins nothing more, and leaves when its current runs have ended, however long that takes."""
    act = act_on("server", "drain")
    act.perform(app.control(at.engine), server, current_user())
    return Shown([act.say(str(server), None)], {"server": server, "draining": True})


@command(click.argument("name"))
def resume(app: Afterwork, at: OpenedLate, name: str) -> Shown:
    """Resume the timer NAME, or the lane NAME."""
    return _turn(app, at, "resume", name)


def _turn(app: Afterwork, at: OpenedLate, verb: Literal["pause", "resume"], name: str) -> Shown:
    """Pause or resume the timer or lane that has a name. Raises `UnknownLane` if none has it."""
    thing = _thing(app, app.insight(at.engine), name)
    act = act_on(thing, verb)
    act.perform(app.control(at.engine), name, current_user())
    return Shown([act.say(name, None)], {thing: name, "paused": verb == "pause"})


def _thing(app: Afterwork, insight: Insight, name: str) -> Thing:
    timers = app.model.timers
    if name in timers:
        return "timer"
    lanes = {MAIN, PARALLEL, *(lane.name for lane in insight.activity().lanes)}
    if name not in lanes:
        verb = "There are the lanes and timers" if timers else "There are"
        raise UnknownLane(name, instead_of(name, sorted([*lanes, *timers]), verb=verb))
    return "lane"

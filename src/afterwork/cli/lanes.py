"""Commands about lanes and servers, and those that pause timers and lanes."""

from collections.abc import Iterator

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.arguments import app_argument, as_json, current_user, database_option, engine_at
from afterwork.cli.printing import print_result, progress_text, table_lines, utc_text
from afterwork.insight import Activity, Insight, LaneView, ServerView
from afterwork.model.lane import MAIN, PARALLEL


@click.command()
@app_argument
@database_option()
@as_json
def lanes(app: Afterwork, url: URL, as_json: bool) -> None:
    """Show lanes, servers, and runs outside of transactions."""
    with engine_at(url) as engine:
        activity = app.insight(engine).activity()
    print_result("\n".join(activity_lines(activity)), activity, as_json)


def activity_lines(activity: Activity) -> Iterator[str]:
    """Yield the activity as text."""
    head = ("lane", "rule", "now", "waiting", "matches", "oldest since (UTC)", "scheduled")
    yield from table_lines(head, [_lane_cells(row) for row in activity.lanes])
    yield ""
    columns = ("server", "state", "process", "host", "started (UTC)", "last sign of life (UTC)", "serves", "knows")
    yield from (
        table_lines(columns, [_server_cells(row) for row in activity.servers])
        if activity.servers
        else ["No server is running."]
    )
    for run in activity.running:
        said = "" if run.said is None else f", {progress_text(run.said)}"
        work = f"{run.work or run.ticket} on {run.root_id}"
        yield f"server {run.server} runs {work} since {utc_text(run.since)} UTC{said}"
    for suspect in activity.suspects:
        what = "is not tried again" if suspect.is_given_up else "is tried alone"
        deaths = f"its {suspect.cause} died {suspect.times} times, last at {utc_text(suspect.at)} UTC"
        yield f"{suspect.what} {what}: {deaths}"


def _server_cells(server: ServerView) -> tuple[str, ...]:
    mark = f"{server.presence}, draining" if server.draining else server.presence
    times = utc_text(server.started), utc_text(server.seen)
    return (
        str(server.id),
        mark,
        str(server.process),
        server.host,
        *times,
        str(server.serves),
        f"{len(server.knows):,} works",
    )


def _lane_cells(lane: LaneView) -> tuple[str, ...]:
    busy = [run.work or run.ticket for run in lane.running]
    locks = [] if lane.held_by is None else [f"a transaction (process {lane.held_by.process})"]
    rate = [] if lane.free_from is None else [f"its rate is used up until {utc_text(lane.free_from)}"]
    now = ", ".join([*(["paused"] if lane.paused else []), *rate, *busy, *locks]) or "free"
    return (
        lane.name,
        lane.rule,
        now,
        str(lane.waiting),
        str(lane.matches),
        utc_text(lane.oldest),
        str(lane.scheduled),
    )


@click.command()
@app_argument
@click.argument("name")
@database_option()
@as_json
def pause(app: Afterwork, name: str, url: URL, as_json: bool) -> None:
    """Pause the timer NAME, or the lane NAME, over all servers. Current runs go on."""
    kind = _kind(app, name)
    with engine_at(url) as engine:
        unknown = _unknown(app.insight(engine), name) if kind == "lane" else ""
        app.control(engine).pause(name, current_user())
    said = f"{kind.capitalize()} {name} is paused. Current runs go on; nothing more begins.{unknown}"
    print_result(said, {kind: name, "paused": True}, as_json)


@click.command()
@app_argument
@click.argument("server", type=int)
@database_option()
@as_json
def drain(app: Afterwork, server: int, url: URL, as_json: bool) -> None:
    """Drain SERVER: it begins nothing more, and leaves when its current runs have ended, however long that takes."""
    with engine_at(url) as engine:
        app.control(engine).drain(server, current_user())
    said = f"Server {server} begins nothing more, and leaves when its runs have ended."
    print_result(said, {"server": server, "draining": True}, as_json)


@click.command()
@app_argument
@click.argument("name")
@database_option()
@as_json
def resume(app: Afterwork, name: str, url: URL, as_json: bool) -> None:
    """Resume the timer NAME, or the lane NAME."""
    with engine_at(url) as engine:
        app.control(engine).resume(name, current_user())
    kind = _kind(app, name)
    print_result(f"{kind.capitalize()} {name} is resumed.", {kind: name, "paused": False}, as_json)


def _unknown(insight: Insight, name: str) -> str:
    """Return a note if no such lane is known, else an empty text."""
    known = {MAIN, PARALLEL, *(lane.name for lane in insight.activity().lanes)}
    if name in known:
        return ""
    return f" No work declares this lane, and no ticket is in it. There are: {', '.join(sorted(known))}."


def _kind(app: Afterwork, name: str) -> str:
    return "timer" if name in app.model.timers else "lane"

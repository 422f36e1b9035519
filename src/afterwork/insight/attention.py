"""Needs for attention in words, each with the error itself, advice, a page, a command, and a remedy."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

from afterwork.insight.caches import FailedValues
from afterwork.insight.check.finding import CheckLimits, Finding
from afterwork.insight.failures import FailureGroup, Hindrance
from afterwork.insight.history import RunMinute
from afterwork.insight.lanes import LaneView
from afterwork.insight.once import OnceView
from afterwork.insight.running import RunningView
from afterwork.insight.servers import ServerView
from afterwork.insight.timers import TimerView
from afterwork.insight.transactions import Blocker, OpenTransaction
from afterwork.store.bounded_count import NONE, Count

OVERDUE_AFTER = timedelta(minutes=1)
"""Work that should run at once and has waited for longer needs attention."""

IDLE_AFTER = timedelta(seconds=5)
"""A transaction that its program leaves idle for longer is told: what it has locked, others wait for."""

HINDERED_WITHIN = timedelta(minutes=10)
"""Runs that were put off within this time are told."""

LONG_FACTOR = 10
"""A run that takes so many times `Settings.held_limit` is a warning, not a note."""

MAX_NAMED = 10
"""The most works that are named one by one."""

Level = Literal["alarm", "warning", "note"]
"""A level of badness: work fails or is not done at all; it is late or may go wrong; it is as somebody wants it."""

LEVELS: Sequence[Level] = ("alarm", "warning", "note")

TOLD_OTHERWISE = ("servers", "once", "journal", "transactions")
"""Topics of `check` that are told from what is read here."""


@dataclass(frozen=True)
class Remedy:
    """A button for the next sensible thing: its label, the path of the act, its fields, and a question before it."""

    label: str
    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    question: str = ""


@dataclass(frozen=True)
class Attention:
    """Something that needs attention, with advice, a page of the web, and a command.

    The command leaves out `MODULE:APP` and the database. `about` identifies it, and stays the same while it lasts.
    `error` is the first line of the error that was raised, `last_object` the external id of the last object that it
    concerned. `since` is in UTC.
    """

    about: str
    what: str
    advice: str
    path: str
    command: str
    level: Level = "warning"
    error: str | None = None
    since: datetime | None = None
    last_object: str | None = None
    remedy: Remedy | None = None


@dataclass(frozen=True)
class Scene:
    """All that tells whether something needs attention, as of one time in UTC."""

    now: datetime
    servers: Sequence[ServerView] = ()
    stuck: Sequence[str] = ()
    lanes: Sequence[LaneView] = ()
    running: Sequence[RunningView] = ()
    held_limit: timedelta = timedelta(minutes=1)
    timers: Sequence[TimerView] = ()
    once: Sequence[OnceView] = ()
    minutes: Sequence[RunMinute] = ()
    failures: Sequence[FailureGroup] = ()
    hindrances: Sequence[FailureGroup] = ()
    failed_values: Sequence[FailedValues] = ()
    failed_tickets: Count = NONE
    stale: Count = NONE
    stale_for: timedelta | None = None
    changes: int = 0
    changes_for: timedelta = timedelta(0)
    longest: OpenTransaction | None = None
    blockers: Sequence[Blocker] = ()
    findings: Sequence[Finding] = ()
    limits: CheckLimits = field(default_factory=CheckLimits)

    @property
    def has_server(self) -> bool:
        return any(server.presence != "gone" for server in self.servers)


def attention(scene: Scene) -> list[Attention]:
    """Return what needs attention, worst first. Where no server runs, all else is late, and only that is told."""
    needs = [
        *_of_servers(scene),
        *_of_once(scene),
        *_of_failures(scene),
        *_of_timers(scene),
        *_of_lanes(scene),
        *_of_runs(scene),
        *(_of_changes(scene) if scene.has_server else ()),
        *_of_transactions(scene),
        *_of_findings(scene),
        *_of_former_failures(scene),
    ]
    return sorted(needs, key=lambda need: LEVELS.index(need.level))


def _of_servers(scene: Scene) -> Iterator[Attention]:
    for name in scene.stuck:
        what = f"Server {name} has no worker left for external runs"
        yield Attention(f"server {name}", what, "See which runs go on for so long.", "/lanes", "lanes", "alarm")
    if not scene.has_server:
        seen = max((server.seen for server in scene.servers), default=None)
        last = "" if seen is None else f" The last one, {scene.servers[-1]}, ended without being told to stop."
        advice = f"Start one. What is saved meanwhile waits.{last}"
        yield Attention("servers", "No server is running", advice, "/lanes", "serve", "alarm", since=seen)
    for server in scene.servers:
        about = f"server {server.id}"
        if server.presence == "silent":
            advice = (
                "It is suspended, its clock is behind, or C code keeps Python from running. Continue it, or end it."
            )
            what = f"Server {server} gives no sign of life"
            yield Attention(about, what, advice, "/lanes", "lanes", "alarm", since=server.seen)
        elif server.presence == "gone" and scene.has_server:
            advice = "It was killed, or its machine is down. Others have taken over what it ran."
            what = f"Server {server} has ended without being told to stop"
            yield Attention(about, what, advice, "/lanes", "lanes", since=server.seen)


def _of_once(scene: Scene) -> Iterator[Attention]:
    for action in scene.once:
        if action.state == "failed" and action.known:
            remedy = Remedy("Run it again", "/once/retry", {"name": action.name}, f"Run {action.name} again?")
            yield Attention(
                f"once {action.name}", f"{action.name} has failed",
                "See why, put it right, and let it run again. What stands below it waits.",
                _failures_of(action.name), f"once --retry {shlex.quote(action.name)}", "alarm",
                first_line(action.error), action.ended, None, remedy,
            )  # fmt: skip


def _of_timers(scene: Scene) -> Iterator[Attention]:
    for timer in (timer for timer in scene.timers if timer.known):
        about, named = f"timer {timer.name}", shlex.quote(timer.name)
        page = f"/timers/{quote(timer.name, safe='')}"
        if timer.error is not None and not timer.failed:
            what, advice = (
                f"The timer {timer.name} has failed to begin its round",
                "Its criteria, or its clock, raised.",
            )
            error = first_line(timer.error)
            yield Attention(about, what, advice, page, f"timers {named}", "alarm", error, timer.due)
        if timer.paused:
            remedy = Remedy("Resume the timer", f"{page}/resume")
            advice = f"Resume it when it may fire again: {timer.schedule}."
            what = f"The timer {timer.name} is paused"
            yield Attention(about, what, advice, page, f"resume {named}", "note", remedy=remedy)
        elif scene.has_server and timer.due is not None and scene.now - timer.due > OVERDUE_AFTER:
            advice = "A server fires it as soon as it can. See whether one does."
            what = f"The timer {timer.name} is late by {minutes(scene.now - timer.due)}"
            yield Attention(about, what, advice, page, "timers", since=timer.due)


def _of_failures(scene: Scene) -> Iterator[Attention]:
    values = {failed.name: failed for failed in scene.failed_values}
    counts = _counts(scene.minutes, "failed")
    for work in list(dict.fromkeys((*counts, *values)))[:MAX_NAMED]:
        groups = [group for group in scene.failures if group.work == work]
        yield _failing(scene, work, counts.get(work, 0), groups, values.get(work))
    if len(counts) > MAX_NAMED:
        more = len(counts) - MAX_NAMED
        what = f"{more:,} more {'work has' if more == 1 else 'works have'} failed within an hour"
        yield Attention("works", what, "See which, and why.", "/failures", "failures", "alarm")
    recent = [run for run in scene.minutes if run.minute >= scene.now - HINDERED_WITHIN]
    for work, count in list(_counts(recent, "put_off").items())[:MAX_NAMED]:
        if work not in counts:
            yield _put_off(work, count, [group for group in scene.hindrances if group.work == work])


def _failing(
    scene: Scene, work: str, count: int, groups: Sequence[FailureGroup], values: FailedValues | None
) -> Attention:
    """Return the failures of one work: an alarm, unless it has only been done since and nothing is left failed."""
    newest = groups[0] if groups else None
    since = None if newest is None else _since(scene.now, newest)
    open_things = [thing for group in groups for thing in group.open]
    done_since = not open_things and values is None and _has_been_done_since(scene.minutes, work)
    times = f" {_times(count)} within an hour" if count else ""
    what = f"{work} has failed{times}"
    left = ""
    if values is not None:
        number = f"{values.count} {one_or_many(values.count, 'value', 'values')}"
        what = what if count else f"{number} of {work} {one_or_many(values.count, 'has', 'have')} failed"
        left = f"{number} {one_or_many(values.count, 'is', 'are')} still as before the failure. "
    others = (
        f" It also failed with {len(groups) - 1:,} other {'error' if len(groups) == 2 else 'errors'}."
        if groups[1:]
        else ""
    )
    advice = "It has been done since." if done_since else f"{left}See why, put it right, and try it again."
    error = newest.error if newest is not None else values.error if values is not None else None
    root = newest.runs[0].root_id if newest is not None else values.root if values is not None else None
    return Attention(
        f"work {work}", what, advice + others, _failures_of(work), f"failures --work {shlex.quote(work)}",
        "note" if done_since else "alarm", first_line(error), since, root, _retry(newest),
    )  # fmt: skip


def _retry(group: FailureGroup | None) -> Remedy | None:
    """Return a button that retries what is still failed of a group; None if nothing of it can be retried."""
    if group is None:
        return None
    if group.source == "timer":
        path = f"/timers/{quote(group.work, safe='')}/run"
        return Remedy("Run a round now", path, {}, f"Begin a round of {group.work} now?")
    count = len(group.open)
    if not count or group.has_more:  # how many are still failed is known only where all are read
        return None
    many = f"{count:,} that failed" if count > 1 else "it"
    fields = {"work": group.work, "group": group.id, "all": "1"}
    return Remedy(f"Retry {count:,}" if count > 1 else "Retry it", "/failures/retry", fields, f"Retry {many}?")


def _put_off(work: str, count: int, groups: Sequence[FailureGroup]) -> Attention:
    newest = groups[0] if groups else None
    what = f"{work} was put off {_times(count)} within {minutes(HINDERED_WITHIN)}"
    about, command = f"put off {work}", f"failures --work {shlex.quote(work)} --put-off"
    need = Attention(about, what, "It is tried again. See what hinders it.", _failures_of(work, "put off"), command)
    if newest is None:
        return need
    return replace(need, error=first_line(newest.error), since=newest.first, last_object=newest.runs[0].root_id)


def _of_lanes(scene: Scene) -> Iterator[Attention]:
    for lane in scene.lanes:
        waiting = lane.waiting + lane.matches
        named, about = shlex.quote(lane.name), f"lane {lane.name}"
        if lane.paused:
            tickets = one_or_many(waiting, "ticket waits", "tickets wait")
            remedy = Remedy("Resume the lane", f"/lanes/{quote(lane.name, safe='')}/resume")
            waits = f"{waiting} {tickets}" if waiting.number else "nothing waits"
            what = f"The lane {lane.name} is paused, and {waits} in it"
            advice = "Resume it when its jobs may begin again."
            yield Attention(about, what, advice, "/lanes", f"resume {named}", "note", since=lane.oldest, remedy=remedy)
        elif scene.has_server and lane.oldest is not None and scene.now - lane.oldest > OVERDUE_AFTER:
            yield _late_lane(scene, lane, waiting)


def _late_lane(scene: Scene, lane: LaneView, waiting: Count) -> Attention:
    """Return what is known of a lane whose first ticket waits: its rate, or what runs in it."""
    assert lane.oldest is not None
    tickets = one_or_many(waiting, "ticket waits", "tickets wait")
    what = f"{waiting} {tickets} in the lane {lane.name}, the first for {minutes(scene.now - lane.oldest)}"
    about, page = f"lane {lane.name}", "/lanes"
    if lane.free_from is not None and lane.free_from > scene.now:
        advice = f"Its rate is used up ({lane.rule}). The next may begin at {lane.free_from:%H:%M:%S} UTC."
        return Attention(about, what, advice, page, "lanes", "note", since=lane.oldest)
    if lane.running:
        first = lane.running[0]
        advice = f"{first.work or first.ticket} has run in it for {in_words(scene.now - first.since)}."
        return Attention(about, what, advice, page, "lanes", "warning", None, lane.oldest, first.root_id, _stop(first))
    if lane.held_by is not None:
        held = lane.held_by.since
        since = "" if held is None else f" for {minutes(scene.now - held)}"
        advice = f"A transaction holds it{since}: PostgreSQL process {lane.held_by.process}."
        return Attention(about, what, advice, page, "lanes", since=lane.oldest)
    return Attention(
        about, what, f"{_idle(scene)}See what runs in it, and for how long.", page, "lanes", since=lane.oldest
    )


def _idle(scene: Scene) -> str:
    """Return a sentence on a transaction that may hold what a run needs."""
    if scene.longest is None or not scene.longest.is_idle:
        return ""
    return (
        f"PostgreSQL process {scene.longest.pid} has had a transaction open for {scene.longest.seconds:,.0f} s, "
        f"is idle, and may have locked what is needed. To end it: SELECT pg_terminate_backend({scene.longest.pid}). "
    )


def _of_runs(scene: Scene) -> Iterator[Attention]:
    """Yield runs that go on for longer than any should."""
    for run in scene.running:
        if scene.now - run.since > scene.held_limit:
            level: Level = "warning" if scene.now - run.since > LONG_FACTOR * scene.held_limit else "note"
            what = f"{run.work or run.ticket} has run for {in_words(scene.now - run.since)}"
            advice = "If it hangs, ask it to stop. Give it a time-out."
            command = f"cancel {shlex.quote(run.ticket)}" if run.kind == "ticket" else "lanes"
            yield Attention(
                f"run {run.run}", what, advice, "/lanes", command, level, None, run.since, run.root_id, _stop(run)
            )


def _stop(run: RunningView) -> Remedy | None:
    if run.kind != "ticket":
        return None
    return Remedy("Ask it to stop", "/tickets/cancel", {"keys": run.ticket}, f"Ask {run.work} to stop?")


def _of_changes(scene: Scene) -> Iterator[Attention]:
    if scene.stale_for is not None and scene.stale_for > OVERDUE_AFTER:
        what = (
            f"{scene.stale} {one_or_many(scene.stale, 'cache is', 'caches are')} stale, the first for "
            f"{minutes(scene.stale_for)}"
        )
        since = scene.now - scene.stale_for
        yield Attention(
            "caches", what, "See which, and whether a server calculates them.", "/caches", "caches", since=since
        )
    if scene.changes_for > OVERDUE_AFTER:
        number = f"{scene.changes:,} {one_or_many(scene.changes, 'change waits', 'changes wait')}"
        what = f"{number} to be matched, the first for {minutes(scene.changes_for)}"
        advice = "Until then, values that were made of what changed count as fresh. See whether a server runs."
        yield Attention("journal", what, advice, "/caches", "check", since=scene.now - scene.changes_for)


def _of_transactions(scene: Scene) -> Iterator[Attention]:
    for blocker in scene.blockers:
        waiting = f"{blocker.blocked:,} {one_or_many(blocker.blocked, 'connection waits', 'connections wait')}"
        what = f"{waiting} for locks of {blocker}"
        advice = f"It is {blocker.state}. If it was forgotten, end it: SELECT pg_terminate_backend({blocker.pid})."
        since = scene.now - timedelta(seconds=blocker.seconds)
        yield Attention(f"blocker {blocker.pid}", what, advice, "/check", "check", since=since)
    longest = scene.longest
    if longest is None:
        return
    age = timedelta(seconds=longest.seconds)
    if age > (IDLE_AFTER if longest.is_idle else scene.limits.long_transaction):
        level: Level = "warning" if age > OVERDUE_AFTER else "note"
        what = f"A transaction has been open for {in_words(age)}{', and is idle' if longest.is_idle else ''}"
        advice = (
            "It keeps its locks and blocks vacuum, and its changes reach no cache. To end it: "
            f"SELECT pg_terminate_backend({longest.pid})."
        )
        yield Attention("transaction", what, advice, "/check", "check", level, since=scene.now - age)


def _of_findings(scene: Scene) -> Iterator[Attention]:
    for finding in scene.findings:
        if not finding.right and finding.topic not in TOLD_OTHERWISE:
            what = f"{finding.what[:1].upper()}{finding.what[1:]}"
            level: Level = "note" if finding.is_note else "alarm" if finding.topic == "capture" else "warning"
            command = "install" if "afterwork install" in finding.advice else "check"
            yield Attention(f"check {finding.what}", what, finding.advice, "/check", command, level)


def _of_former_failures(scene: Scene) -> Iterator[Attention]:
    recent = sum(minute.failed for minute in scene.minutes if minute.source == "ticket")
    count = scene.failed_tickets
    if count.number > recent:
        what = f"{count} {one_or_many(count, 'ticket is', 'tickets are')} failed in all"
        advice = "Retry them when their cause is gone, or let them be: they are deleted in time."
        yield Attention("failed tickets", what, advice, "/failures", "tickets --state failed", "note")


def works_with_most(run_minutes: Sequence[RunMinute], outcome: Literal["failed", "put_off"]) -> list[str]:
    """Return the works that had an outcome, those that had it most often first."""
    return list(_counts(run_minutes, outcome))


def _counts(run_minutes: Sequence[RunMinute], outcome: Literal["failed", "put_off"]) -> Mapping[str, int]:
    """Return how often each work had an outcome, the most first."""
    counts: dict[str, int] = {}
    for minute in run_minutes:
        if number := getattr(minute, outcome):
            counts[minute.work] = counts.get(minute.work, 0) + number
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _has_been_done_since(run_minutes: Sequence[RunMinute], work: str) -> bool:
    own = [minute for minute in run_minutes if minute.work == work]
    failed = max((minute.minute for minute in own if minute.failed), default=None)
    done = max((minute.minute for minute in own if minute.done), default=None)
    return failed is not None and done is not None and done > failed


def _since(now: datetime, group: FailureGroup) -> datetime:
    """Return since when a group fails: its first record of the last day."""
    return min(run.ended for run in group.runs if run is group.runs[0] or now - run.ended < timedelta(days=1))


def _failures_of(work: str, outcome: Hindrance = "failed") -> str:
    return f"/failures?work={quote(work, safe='')}" + ("" if outcome == "failed" else "&outcome=put+off")


def first_line(error: str | None) -> str | None:
    """Return the first line of an error that is not blank."""
    return next((line.strip() for line in (error or "").splitlines() if line.strip()), None)


def one_or_many(count: Count | int, single: str, many: str) -> str:
    """Return the words for one thing, or for another number of them."""
    number = count if isinstance(count, int) else count.number
    return single if number == 1 else many


def minutes(span: timedelta) -> str:
    """Return a duration in words, in minutes, hours or days."""
    number = span.total_seconds() / 60
    if number < 1.5:
        return "a minute"
    if number < 90:
        return f"{round(number):,} minutes"
    return f"{round(number / 60):,} hours" if number < 48 * 60 else f"{round(number / 1440):,} days"


def in_words(span: timedelta) -> str:
    """Return a duration in words, in seconds if it is short."""
    return f"{span.total_seconds():,.0f} s" if span < timedelta(minutes=1) else minutes(span)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"

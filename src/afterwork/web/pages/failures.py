"""The page of failures: runs that have failed, whatever started them, in groups."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from starlette.requests import Request

from afterwork.control import result_lines
from afterwork.control.tickets import RETRY
from afterwork.errors import BadRequest
from afterwork.insight import FailureGroup, traces
from afterwork.insight.failures import Hindrance
from afterwork.pictures.charts import spark_chart
from afterwork.web.page import ActRequest, Page, PageAct, PageContent, Site

HOURS = 24
"""The hours of the small chart of a group."""


def show(site: Site, request: Request) -> PageContent:
    """Show the groups of failures, of one work or of all, or one group."""
    query = request.query_params
    work, group, outcome = query.get("work", ""), query.get("group", ""), _outcome(query.get("outcome", ""))
    now = site.app.clock.now()
    groups = site.insight.failure_groups(work or None, outcome)
    if group:
        groups = [failures for failures in groups if failures.id == group]
    given = {"groups": groups, "work": work, "group": group, "outcome": outcome, "failed_of": failed_of}
    return PageContent("failures.html", {**given, "spark": partial(spark, now), "parts": traces.parts})


def failed_of(group: FailureGroup) -> str:
    """Return how often a group failed, in words."""
    count = f"{group.count:,}{'+' if group.has_more else ''}"
    return "once" if count == "1" else f"{count} times"


def spark(now: datetime, group: FailureGroup) -> str:
    """Return a small chart of the last hours of a group."""
    counts = [0] * HOURS
    for run in group.runs:
        hours = (now - run.ended) // timedelta(hours=1)
        if 0 <= hours < HOURS:
            counts[HOURS - 1 - hours] += 1
    return spark_chart(counts, f"Recorded in each of the last {HOURS} hours: {', '.join(map(str, counts))}")


def _outcome(text: str) -> Hindrance:
    if text in ("", "failed"):
        return "failed"
    if text == "put off":
        return "put off"
    raise BadRequest("Failures have the outcome failed, or put off.")


def _retry(site: Site, request: ActRequest) -> str:
    work = request.text("work")
    group = site.insight.failure_group(work, request.text("group"))
    names = _selected(group, request)
    result = site.control.retry_failed(group.source, work, names, request.who)
    if group.source == "ticket":
        return "\n".join(result_lines(RETRY, result))
    return f"{result.changed:,} of {work} {'is' if result.changed == 1 else 'are'} tried again."


def _selected(group: FailureGroup, request: ActRequest) -> Sequence[str]:
    """Return what is still failed of a group: all of it, or what is ticked."""
    still = [thing.name for thing in group.open]
    names = still if request.text("all") else [name for name in request.texts("keys") if name in still]
    if not names:
        raise BadRequest("Nothing of what was selected is failed any more.")
    return names


PAGES = (Page("/failures", show),)
ACTS = (PageAct("/failures/retry", _retry),)

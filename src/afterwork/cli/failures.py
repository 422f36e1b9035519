"""The command on failures: their groups, and trying again what is still failed of one."""

from collections.abc import Iterator, Sequence

import click

from afterwork.app import Afterwork
from afterwork.cli.arguments import OpenedLate, Shown, command, current_user
from afterwork.cli.printing import utc_text
from afterwork.insight import FailureGroup
from afterwork.insight.attention import first_line
from afterwork.insight.failures import Hindrance

MAX_THINGS = 5
"""The most objects of a group that are named."""


@command(
    click.option("--work", metavar="NAME", help="Only this work: Customer.assign_number, a view model, or a value."),
    click.option("--put-off", "is_put_off", is_flag=True, help="Runs that were put off and are tried again."),
    click.option("--retry", "group", metavar="GROUP", help="Try again what is still failed of a group. Needs --work."),
)
def failures(app: Afterwork, at: OpenedLate, work: str | None, is_put_off: bool, group: str | None) -> Shown:
    """Show failures of all kinds, those with the same trace in one group. Servers write these every few seconds."""
    outcome: Hindrance = "put off" if is_put_off else "failed"
    if group is not None:
        if work is None or is_put_off:
            raise click.UsageError("--retry needs --work, and is for what has failed.")
        return _retried(app, at, work, group)
    groups = app.insight(at.engine).failure_groups(work, outcome)
    return Shown(group_lines(groups, outcome), groups)


def _retried(app: Afterwork, at: OpenedLate, work: str, id: str) -> Shown:
    group = app.insight(at.engine).failure_group(work, id)
    names = [thing.name for thing in group.open]
    if not names and group.source != "timer":
        return Shown(["Nothing of it is failed any more."], {"changed": 0})
    result = app.control(at.engine).retry_failed(group.source, work, names, current_user())
    return Shown([f"{result.changed:,} tried again, {result.left_alone:,} left alone."], result)


def group_lines(groups: Sequence[FailureGroup], outcome: Hindrance) -> Iterator[str]:
    """Yield groups of failures as text."""
    if not groups:
        yield "No failures." if outcome == "failed" else "Nothing was put off."
    for group in groups:
        many = f"{group.count:,}{'+' if group.has_more else ''}"
        yield f"{group.id}  {group.work}, {many} {outcome}, last {utc_text(group.last)} UTC"
        yield f"    {first_line(group.error) or ''}"
        names = [thing.root_id or thing.name for thing in group.things[:MAX_THINGS]]
        more = f" and {len(group.things) - MAX_THINGS:,} more" if len(group.things) > MAX_THINGS else ""
        still = f"; {len(group.open):,} still failed" if group.source != "timer" else ""
        yield f"    on {', '.join(names)}{more}{still}"

"""The command about actions that run once per database."""

from collections.abc import Iterator, Sequence

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.arguments import app_argument, as_json, database_option, engine_at
from afterwork.cli.printing import print_result, progress_text, table_lines, utc_text
from afterwork.insight import OnceView


@click.command()
@app_argument
@database_option()
@click.option("--retry", metavar="NAME", help="Run the failed action NAME again.")
@as_json
def once(app: Afterwork, url: URL, retry: str | None, as_json: bool) -> None:
    """Show actions that run once per database: which have run, when, and their results."""
    with engine_at(url) as engine:
        if retry is not None:
            app.control(engine).retry_once(retry)
        actions = app.insight(engine).once()
    print_result("\n".join(once_lines(actions)), actions, as_json)


def once_lines(actions: Sequence[OnceView]) -> Iterator[str]:
    """Yield actions that run once per database as text."""
    head = ("action", "state", "ended (UTC)", "took", "result or error")
    yield from (
        table_lines(head, [_once_cells(action) for action in actions])
        if actions
        else ["Nothing in the model runs once."]
    )


def _once_cells(action: OnceView) -> tuple[str, ...]:
    name = action.name if action.known else f"{action.name} (no longer in the model)"
    took = "" if action.seconds is None else f"{action.seconds:.1f} s"
    told = action.error or action.result or (f"until {action.waits_for} has succeeded" if action.waits_for else "")
    return (
        name,
        action.state,
        utc_text(action.ended),
        took,
        told or ("" if action.said is None else progress_text(action.said)),
    )

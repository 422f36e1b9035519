"""The command line that pauses timers and lanes."""

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.acts import me
from afterwork.cli.arguments import as_json, engine_at, the_app, the_database
from afterwork.cli.printing import say


@click.command()
@the_app
@click.argument("name")
@the_database()
@as_json
def pause(app: Afterwork, name: str, url: URL, as_json: bool) -> None:
    """Let the timer NAME not fire, or no more jobs of the lane NAME begin, over all servers. What runs goes on."""
    with engine_at(url) as engine:
        app.control(engine).pause(name, me())
    kind = _kind(app, name)
    say(
        f"{kind.capitalize()} {name} is paused. What runs goes on; nothing more begins.",
        {kind: name, "paused": True},
        as_json,
    )


@click.command()
@the_app
@click.argument("name")
@the_database()
@as_json
def resume(app: Afterwork, name: str, url: URL, as_json: bool) -> None:
    """Let the timer NAME fire, or jobs of the lane NAME begin, again."""
    with engine_at(url) as engine:
        app.control(engine).resume(name, me())
    kind = _kind(app, name)
    say(f"{kind.capitalize()} {name} is open.", {kind: name, "paused": False}, as_json)


def _kind(app: Afterwork, name: str) -> str:
    return "timer" if name in app.model.timers else "lane"

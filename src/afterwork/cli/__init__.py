"""The command line: `afterwork serve MODULE:APP --database URL`, and the commands that look after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from afterwork.cli import (
    acts,
    caches,
    check,
    failures,
    graph,
    history,
    lanes,
    machines,
    model,
    serving,
    status,
    tickets,
    timers,
    works,
)
from afterwork.cli.printing import error_text
from afterwork.errors import AfterworkError

COMMANDS = (
    serving.serve,
    check.install,
    check.uninstall,
    check.check,
    status.status,
    history.history,
    works.works,
    works.work,
    failures.failures,
    tickets.tickets,
    tickets.ticket,
    acts.retry,
    acts.run,
    acts.cancel,
    timers.timers,
    lanes.lanes,
    lanes.pause,
    lanes.resume,
    lanes.drain,
    machines.machines,
    model.show,
    timers.once,
    caches.caches,
    caches.explain,
    caches.impact,
    graph.graph,
    caches.verify,
    caches.recompute,
    model.evaluate,
    model.open_shell,
    serving.reload,
    serving.demo,
)


@contextmanager
def _short_errors() -> Iterator[None]:
    """Turn errors that a user can act on into one message, without a traceback."""
    try:
        yield
    except (AfterworkError, SQLAlchemyError) as error:
        raise click.ClickException(error_text(error)) from None


class PlainGroup(click.Group):
    """A group of commands whose errors are one message."""

    def invoke(self, ctx: click.Context) -> Any:
        with _short_errors():
            return super().invoke(ctx)


@click.group(cls=PlainGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="afterwork", message="afterwork %(version)s")
def main() -> None:
    """Does stuff later, in the database you already have.

    MODULE:APP says where your aw.Afterwork(…) is: shop:app is `app` in shop.py.
    """


for _command in COMMANDS:
    main.add_command(_command)

"""The application that a migration is about."""

from typing import TYPE_CHECKING

from sqlalchemy import MetaData

from afterwork.app import Afterwork, application_at, applications_of
from afterwork.errors import NoApplication

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


def application_of(context: "MigrationContext") -> Afterwork | None:
    """Return the application of the models that env.py names, or the one that it gives; None without any.

    `context.configure(afterwork=app)` gives one. Otherwise it is the last that was made of the `target_metadata`.
    """
    given = context.opts.get("afterwork")
    if isinstance(given, Afterwork):
        return given
    target = context.opts.get("target_metadata")
    metadata = [target] if isinstance(target, MetaData) else list(target or ())
    known = [app for each in metadata for app in applications_of(each)]
    return known[-1] if known else None


def needed_application(context: "MigrationContext", where: str | None) -> Afterwork:
    """Return the application at a place, or else that of the migration. Raises `NoApplication`."""
    app = application_of(context) if where is None else application_at(where)
    if app is None:
        raise NoApplication("No aw.Afterwork(…) was made of the target_metadata that env.py gives.")
    return app

"""The derived source of a server that goes on running between two statements of a test."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

import afterwork as aw
from afterwork.jobs.source import Assignment, WorkerHandle
from afterwork.sources.derived.source import DerivedSource


def refresher(app: aw.Afterwork, engine: Engine) -> tuple[Any, Any]:
    """What keeps caches fresh in a server that goes on, with its connection."""
    database = app.database(engine)
    connection = database.connect()
    runner = app.runner(database, connection)
    return runner.source(DerivedSource), connection


def worker_of(source: DerivedSource, claim: Callable[[str, bool], None] = lambda claim, begun: None) -> WorkerHandle:
    """The worker of a server that goes on."""
    return WorkerHandle(99, Assignment(source.own, {source.own: None}, began=0.0), lambda lease, begun: None, claim)

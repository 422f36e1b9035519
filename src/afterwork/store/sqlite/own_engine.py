"""An engine of a server's own, for applications that begin transactions by a listener.

A known recipe for SQLite has a listener that sends BEGIN, or BEGIN IMMEDIATE, whenever SQLAlchemy begins something. A
server begins its transactions itself, each of the kind that it needs. With the recipe, it would hold an old state of
the database, or the lock of the single writer, wherever it only reads. So it has an engine of its own.
"""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine.base import OptionEngine

from afterwork.errors import UnsupportedDatabase


def without_begin(engine: Engine) -> Engine:
    """Return an engine without listeners for the beginning of transactions. It is this one, or one with the same
    connections and all other listeners. Raises `UnsupportedDatabase` if they listen to all engines."""
    if not _begins(engine):
        return engine
    own = Engine(
        engine.pool,
        engine.dialect,
        engine.url,
        execution_options=dict(engine.get_execution_options()),
        hide_parameters=engine.hide_parameters,
    )
    own._has_events = engine._has_events
    _copy_listeners(_plain(engine).dispatch, own.dispatch)
    if _begins(own):
        raise UnsupportedDatabase(
            'A listener to "begin" is attached to the class Engine, and begins transactions of servers, too. '
            "Attach it to the application's own engine: event.listen(engine, ...)."
        )
    return own


def _begins(engine: Engine) -> bool:
    return len(list(engine.dispatch.begin)) > 0


def _copy_listeners(source: Any, target: Any) -> None:
    for name in set(source._event_names) - {"begin"}:
        if listeners := getattr(source, name).listeners:  # without those of the class, which listen to all engines
            getattr(target, name).for_modify(target).listeners.extend(listeners)


def _plain(engine: Engine) -> Engine:
    """Return the engine behind those with their own options."""
    return _plain(engine._proxied) if isinstance(engine, OptionEngine) else engine

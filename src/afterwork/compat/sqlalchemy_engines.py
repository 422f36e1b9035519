"""The engines that others are made of by `execution_options`: they share a pool."""

from sqlalchemy import Engine
from sqlalchemy.engine.base import OptionEngine


def base_engine(engine: Engine) -> Engine:
    """Return the engine that owns the pool of another one. It notices when either is disposed of.

    SQLAlchemy has no public way from an engine with options to the one that it was made of.
    """
    while isinstance(engine, OptionEngine):
        engine = engine._proxied
    return engine

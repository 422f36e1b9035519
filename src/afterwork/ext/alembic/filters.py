"""Filters for Alembic's comparison of a database with the models, and the text of Afterwork's column types."""

import warnings
from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy.types import TypeDecorator

from afterwork.store.removal import PREFIX, own_tables

DECLARED = {"schema", "table", "column", "unique_constraint", "foreign_key_constraint", "check_constraint"}
"""The kinds of objects of which only tables are ever Afterwork's. Others are indexes, triggers and functions."""


def include_name(name: str | None, type_: str, parent_names: Mapping[str, str | None]) -> bool:
    """Return False for the tables of Afterwork, for `context.configure(include_name=…)`."""
    return type_ != "table" or name not in own_tables()


def include_object(object_: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
    """Return False for what Afterwork has made in a database, for `context.configure(include_object=…)`."""
    if type_ == "table":
        return name not in own_tables()
    is_undeclared = reflected and compare_to is None and type_ not in DECLARED
    return not (is_undeclared and (name or "").rpartition(".")[2].startswith(PREFIX))


def render_item(type_: str, object_: Any, autogen_context: Any) -> str | Literal[False]:
    """Return one of Afterwork's column types as SQLAlchemy's, for `context.configure(render_item=…)`.

    A revision then imports nothing that a later version may move. False for everything else.
    """
    is_own = type(object_).__module__.partition(".")[0] == "afterwork"
    if type_ != "type" or not (is_own and isinstance(object_, TypeDecorator)):
        return False
    return f"{autogen_context.opts['sqlalchemy_module_prefix'] or ''}{object_.impl_instance!r}"


def be_quiet_about_indexes() -> None:
    """Let SQLAlchemy not warn that it can't reflect the expressions of Afterwork's indexes on SQLite."""
    warnings.filterwarnings("ignore", f"Skipped unsupported reflection of expression-based index {PREFIX}")

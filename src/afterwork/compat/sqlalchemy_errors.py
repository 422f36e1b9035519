"""Errors that SQLAlchemy passes on: whether the database, or only a driver or a type, has raised them."""

from sqlalchemy.exc import DBAPIError


def is_refusal(error: Exception) -> bool:
    """Return whether the database itself has refused a statement, and so may refuse all that follows.

    What a driver or a type raises of what it was given leaves the transaction as it is.
    """
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) is not None

"""The reads of a statement: the rows in its result, and the queries by which other rows may enter it."""

from afterwork.derived.tracking.query.set_based import SetBasedExpression
from afterwork.derived.tracking.query.statement_reader import StatementReader

__all__ = ["SetBasedExpression", "StatementReader"]

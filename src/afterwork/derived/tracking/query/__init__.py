"""The reads of a statement: the rows that take part in it, and the queries by which others may come to take part."""

from afterwork.derived.tracking.query.set_based import SetBasedExpression
from afterwork.derived.tracking.query.statement_reader import StatementReader

__all__ = ["SetBasedExpression", "StatementReader"]

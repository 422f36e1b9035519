"""What a statement reads: the rows that take part in it, and the questions by which others may come to take part."""

from afterwork.manifest.query.reader import StatementReader
from afterwork.manifest.query.setbased import SetBased

__all__ = ["SetBased", "StatementReader"]

"""The statements that may write tickets, past the objects of a session."""

from typing import Any

from sqlalchemy import CTE, Table, TextClause, UpdateBase
from sqlalchemy.sql import visitors

from afterwork.compat.sqlalchemy_statements import written_table
from afterwork.model.ticket import CONTRACT


def may_write_tickets(statement: Any) -> bool:
    """Return whether a statement that is no SELECT may write tickets. One on another table of the model does not."""
    table = written_table(statement) if isinstance(statement, UpdateBase) else None
    contract = table.metadata.info.get(CONTRACT) if isinstance(table, Table) else None
    if contract is None or table in contract.mapper.tables:
        return True
    return any(isinstance(element, CTE | TextClause) for element in visitors.iterate(statement))

"""Queries of the database within an expression: OCLps."""

from afterwork.language.sql.statement import statement_of
from afterwork.language.typed.operator import DatabaseQuery, Operator

OPERATORS = (
    Operator(
        "Type(O).PSEval(Collection(T), [Integer], [Integer], [Any]) : Sequence(T)",
        DatabaseQuery(statement_of),
        "The elements of a collection, found by one SELECT with a limit and an offset. A part without SQL is an error. "
        "The reads are tracked. The last operand is accepted for the original's sake.",
        ("Order.PSEval(Order.allInstances->select(paid)->orderBy(total), 1, 0).id", "Sequence{4}"),
    ),
    Operator(
        "Type(O).PSEvalValue(T, [Any], [Any], [Any]) : T",
        DatabaseQuery(statement_of),
        "A value, found by one SELECT.",
        ("Order.PSEvalValue(Order.allInstances->select(paid)->size)", "2"),
    ),
)

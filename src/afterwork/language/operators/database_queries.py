"""What is asked of the database within an expression: OCLps."""

from afterwork.language.sql.statement import statement_of
from afterwork.language.typed.operator import DatabaseQuery, Operator

ROWS = (
    Operator(
        "Type(O).PSEval(Collection(T), [Integer], [Integer], [Any]) : Sequence(T)",
        DatabaseQuery(statement_of),
        "The elements of a collection, which the database finds by one `select`: at most so many, after so many. What "
        "has no SQL is an error. What it depends on is noticed; the last operand is taken for the original's sake.",
        ("Order.PSEval(Order.allInstances->select(paid)->orderBy(total), 1, 0).id", "Sequence{4}"),
    ),
    Operator(
        "Type(O).PSEvalValue(T, [Any], [Any], [Any]) : T",
        DatabaseQuery(statement_of),
        "A value that the database finds by one `select`.",
        ("Order.PSEvalValue(Order.allInstances->select(paid)->size)", "2"),
    ),
)

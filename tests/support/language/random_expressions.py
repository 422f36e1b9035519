"""Random well-typed expressions: each operator of the table on operands that its signature accepts."""

from collections.abc import Sequence
from random import Random

from afterwork.language.operators.table import table
from afterwork.language.typed.operator import Operator
from afterwork.language.typed.signature import ParameterPattern, TypePattern

LEAVES = {
    "Integer": ["c.number", "0", "2", "c.orders->size", "null", "c.referrer.number", "(-3)"],
    "Decimal": ["1.5", "c.orders.total->sum", "c.orders->first.total", "0.25"],
    "Real": ["0.5.toReal", "c.orders.lines.weight->sum", "c.orders.lines.weight->maxValue"],
    "String": ["c.name", "c.note", "'a'", "''", "c.referrer.name", "'%b%'"],
    "Boolean": ["c.active", "true", "c.orders->first.paid", "false", "null"],
    "DateTime": [
        "c.orders->first.due",
        "DateTime.parse('2024-02-29T13:45:10')",
        "c.orders.due->maxValue",
        "c.orders->last.made",
    ],
    "Date": ["c.born", "Date.parse('2024-02-29')"],
    "TimeSpan": ["TimeSpan.fromHours(5)", "c.orders->first.patience"],
    "Guid": ["Guid.newGuid"],
    "Customer": ["c", "c.referrer", "c.orders->first.customer"],
    "Order": ["c.orders->first", "c.orders->last", "Order.allInstances->first"],
    "Collection(Integer)": [
        "c.orders.lines.quantity",
        "Set{1, 2}",
        "Bag{2, 2, 9}",
        "c.referred.number",
        "Sequence{3, 1}",
    ],
    "Collection(Decimal)": ["c.orders.total", "c.orders.lines.price", "Bag{0.5, 0.5}"],
    "Collection(String)": ["c.orders.tags.name", "Set{'a', 'b'}", "c.referred.name"],
    "Collection(Boolean)": ["c.orders.paid"],
    "Collection(Order)": ["c.orders", "Order.allInstances", "c.referred.orders", "c.orders->select(o | o.paid)"],
    "Collection(Customer)": ["c.referred", "Customer.allInstances", "Order.allInstances.customer"],
}
PLAIN = ("Integer", "Decimal", "String", "Boolean")
NUMBERS = ("Integer", "Decimal", "Real")
COLLECTIONS = ("Collection", "Set", "Bag", "Sequence", "OrderedSet", "Same", "Gathered")
ROWS = {"Order": "o", "Customer": "x", "Integer": "n", "Decimal": "d", "String": "s", "Boolean": "b"}
MEMBERS = {
    "o": {"Integer": "o.id", "Decimal": "o.total", "Boolean": "o.paid", "DateTime": "o.due", "Customer": "o.customer"},
    "x": {"Integer": "x.number", "String": "x.name", "Boolean": "x.active", "Customer": "x.referrer"},
    "n": {"Integer": "n"},
    "d": {"Decimal": "d"},
    "s": {"String": "s"},
    "b": {"Boolean": "b"},
}
SKIPPED = {"create", "delete", "add", "remove", "clear", "newGuid", "oclSingleton", "closure", "foreach", "typeName"}


OPERATORS = [
    operator
    for operators in table().values()
    for operator in operators
    if operator.name not in SKIPPED and not operator.effects
]
WITH_SQL = [operator for operator in OPERATORS if operator.sql is not None]


class ExpressionMaker:
    """Makes expressions about a customer `c`."""

    def __init__(self, random: Random, operators: Sequence[Operator]) -> None:
        self.random = random
        self.operators = operators

    def make(self, kind: str, depth: int, near: str = "") -> str:
        """Return an expression of a type; within a lambda over `near`, often about its variable."""
        if near and kind in MEMBERS[near] and self.random.random() < 0.5:
            return MEMBERS[near][kind]
        if depth > 0 and self.random.random() < 0.9:
            operator, bound = self._operator(kind)
            if operator is not None:
                return self._call(operator, bound, depth - 1, near)
        return self.random.choice(LEAVES.get(kind, ["null"]))

    def _operator(self, kind: str) -> tuple[Operator | None, dict[str, str]]:
        for _ in range(60):
            operator = self.random.choice(self.operators)
            bound = {
                "T": self.random.choice([*PLAIN, "Order", "Customer"]),
                "U": self.random.choice(PLAIN),
                "V": self.random.choice(PLAIN),
                "N": self.random.choice(NUMBERS),
                "O": self.random.choice(["Customer", "Order"]),
            }
            bound["Self"] = self._kind(operator.signature.source, bound)
            if self._kind(operator.signature.result, bound) == kind:
                return operator, bound
        return None, {}

    def _kind(self, pattern: TypePattern, bound: dict[str, str]) -> str:
        if pattern.name in COLLECTIONS:
            return f"Collection({self._kind(pattern.inside[0], bound)})"
        if pattern.name in ("Any", "Value"):
            return self.random.choice(PLAIN)
        if pattern.name == "Object":
            return self.random.choice(["Customer", "Order"])
        return bound.get(pattern.name, pattern.name)

    def _call(self, operator: Operator, bound: dict[str, str], depth: int, near: str) -> str:
        signature = operator.signature
        source = self._operand(signature.source, bound, depth, near)
        if not signature.parameters and not signature.mark:
            return f"({signature.name} ({source}))"
        given = [self._argument(parameter, signature.source, bound, depth, near) for parameter in signature.parameters]
        if not signature.mark:
            return f"(({source}) {signature.name} ({given[0]}))"
        return f"({source}){signature.mark}{signature.name}({', '.join(given)})"

    def _argument(
        self, wanted: ParameterPattern, source: TypePattern, bound: dict[str, str], depth: int, near: str
    ) -> str:
        if not wanted.variables:
            return self._operand(wanted.pattern, bound, depth, near)
        variable = ROWS[self._kind(wanted.variables[0], bound)]
        return f"{variable} | {self._operand(wanted.pattern, bound, depth, variable)}"

    def _operand(self, pattern: TypePattern, bound: dict[str, str], depth: int, near: str) -> str:
        if pattern.name == "Type":
            return bound.get(pattern.inside[0].name, pattern.inside[0].name)
        return self.make(self._kind(pattern, bound), depth, near)

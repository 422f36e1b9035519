"""The calculators of a model's derived members."""

from collections.abc import Mapping
from dataclasses import dataclass

from afterwork.derived.compute.python_calculator import PythonCalculator
from afterwork.derived.compute.sql_calculator import SqlCalculator
from afterwork.derived.queue.registry import RegisteredDerivation


@dataclass(frozen=True)
class Calculators:
    """How the value of each definition is calculated: all can in Python, some in SQL as well."""

    python: Mapping[int, PythonCalculator]
    sql: Mapping[int, SqlCalculator]

    def of(self, definition: RegisteredDerivation) -> PythonCalculator | SqlCalculator:
        """The quickest way."""
        return self.sql.get(definition.id) or self.python[definition.id]

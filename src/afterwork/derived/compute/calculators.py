"""The calculators of a model's derivations."""

from collections.abc import Mapping
from dataclasses import dataclass

from afterwork.derived.compute.python_calculator import PythonCalculator
from afterwork.derived.compute.sql_calculator import SqlCalculator
from afterwork.derived.queue.registered_derivation import RegisteredDerivation


@dataclass(frozen=True)
class Calculators:
    """The calculators by derivation: one in Python for each, and for some one in SQL as well."""

    python: Mapping[int, PythonCalculator]
    sql: Mapping[int, SqlCalculator]

    def fastest(self, derivation: RegisteredDerivation) -> PythonCalculator | SqlCalculator:
        """Return the one in SQL if there is one."""
        return self.sql.get(derivation.id) or self.python[derivation.id]

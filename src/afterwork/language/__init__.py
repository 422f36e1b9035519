"""OCL and EAL: text → tree → types checked against the mappers → value, or SQL. Knows SQLAlchemy's mappers only.

exceeds = compile_query("self.Orders->exists(o | o.Total > 100)", Names.of(Base), Customer)
exceeds(customer)
"""

from afterwork.language.query import check, compile_action, compile_query, to_select, to_values
from afterwork.language.syntax.parse import parse
from afterwork.language.typed.names import ModelMethod, Names

__all__ = ["ModelMethod", "Names", "check", "compile_action", "compile_query", "parse", "to_select", "to_values"]

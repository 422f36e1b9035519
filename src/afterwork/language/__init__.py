"""OCL and EAL: text → tree → types checked against the mappers → value, or SQL. Knows SQLAlchemy's mappers only.

    exceeds = compile_query("self.Orders->exists(o | o.Total > 100)", Names.of(Base), Customer)
    exceeds(customer)

Each name of this package is imported when it is first used: the parser's library loads only for those who parse.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from afterwork.language.query import compile_action, compile_query, to_select, to_values
    from afterwork.language.syntax.parse import parse
    from afterwork.language.typed.names import ModelMethod, Names
else:
    HOMES = {
        "ModelMethod": "typed.names",
        "Names": "typed.names",
        "compile_action": "query",
        "compile_query": "query",
        "parse": "syntax.parse",
        "to_select": "query",
        "to_values": "query",
    }

    def __getattr__(name: str) -> object:
        """Import what a name of this package stands for."""
        if name not in HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
        return value


__all__ = ["ModelMethod", "Names", "compile_action", "compile_query", "parse", "to_select", "to_values"]

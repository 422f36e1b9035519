"""OCL and EAL: text → tree → types checked against the mappers → value, or SQL. Knows SQLAlchemy's mappers only.

    exceeds = compile_query("self.Orders->exists(o | o.Total > 100)", Names.of(Base), Customer)
    exceeds(customer)

Each name of this package is imported when it is first used: the parser's library loads only for those who parse.
"""

from typing import TYPE_CHECKING

from afterwork.on_demand import names_on_demand

if TYPE_CHECKING:
    from afterwork.language.query import compile_action, compile_query, to_select, to_values
    from afterwork.language.syntax.parse import parse
    from afterwork.language.typed.methods import ModelMethod
    from afterwork.language.typed.names import Names
else:
    __getattr__, __dir__ = names_on_demand(
        __name__,
        {
            "query": "compile_action compile_query to_select to_values",
            "syntax.parse": "parse",
            "typed.methods": "ModelMethod",
            "typed.names": "Names",
        },
    )


__all__ = ["ModelMethod", "Names", "compile_action", "compile_query", "parse", "to_select", "to_values"]

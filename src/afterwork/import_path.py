"""Where an object can be imported from, as `MODULE:NAME`: found in the modules that are loaded."""

import sys
from pathlib import Path
from types import ModuleType

MAIN = "__main__"


def module_of_caller() -> str:
    """Return the name of the module that calls the function which asks."""
    name: str = sys._getframe(2).f_globals.get("__name__", "")
    return name


def place_of(wanted: object, made_in: str) -> str | None:
    """Return `MODULE:NAME` of an object; None if no module has it under a name.

    The module that made it is asked first: others may have imported it from there.
    """
    modules = sorted(sys.modules.copy().items(), key=lambda item: (item[0] != made_in, item[0].count("."), item[0]))
    for module_name, module in modules:
        if isinstance(module, ModuleType) and (name := _name_in(module, wanted)) is not None:
            imported_as = _imported_as(module_name, module)
            return None if imported_as is None else f"{imported_as}:{name}"
    return None


def _name_in(module: ModuleType, wanted: object) -> str | None:
    # Not by getattr: a module may make its attributes when they are asked for.
    return next((name for name, value in list(vars(module).items()) if value is wanted and name.isidentifier()), None)


def _imported_as(name: str, module: ModuleType) -> str | None:
    """Return the name by which others import a module: that of its file, if it is the program itself."""
    if name != MAIN:
        return name
    if module.__spec__ is not None:  # python -m shop
        return module.__spec__.name.removesuffix(f".{MAIN}")
    return Path(module.__file__).stem if module.__file__ else None

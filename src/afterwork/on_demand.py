"""Packages whose names are imported when they are first used, so that a program loads only what it needs."""

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module


def names_on_demand(
    package: str, homes: Mapping[str, str], modules: Collection[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the functions `__getattr__` and `__dir__` of a package.

    `homes` has, by module within the package, the names that it defines, separated by spaces. `modules` are modules
    that are names themselves.
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}
    own = vars(sys.modules[package])

    def get(name: str) -> object:
        """Import what a public name stands for."""
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = own[name] = getattr(import_module(f"{package}.{home_of[name]}"), name)
        return value

    def names() -> list[str]:
        return sorted({*own, *own["__all__"]})

    return get, names

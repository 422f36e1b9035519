"""Refuses settings of a wrong type, which would fail only when a server comes to use them."""

from dataclasses import fields
from datetime import timedelta
from typing import Any, get_args, get_type_hints

from afterwork.errors import BadDeclaration, shown
from afterwork.model.timeout import checked_timeout
from afterwork.settings import Settings

WANTED: dict[type, str] = {
    timedelta: "a timedelta of 0 or more, such as timedelta(seconds=30)",
    int: "a whole number of 1 or more",
    bool: "True or False",
}


def check_settings(settings: object) -> None:
    """Raise `BadDeclaration` unless these are settings, each of its type."""
    if not isinstance(settings, Settings):
        raise BadDeclaration(f"settings={shown(settings)}: give aw.Settings(…), such as aw.Settings(workers=8).")
    hints = get_type_hints(Settings)
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name == "timeout":
            checked_timeout("Settings", value)  # like that of a work
        else:
            _check(field.name, value, hints[field.name])


def _check(name: str, value: object, hint: Any) -> None:
    kinds = get_args(hint) or (hint,)
    may_be_none = type(None) in kinds
    if value is None and may_be_none:
        return
    for kind, wanted in WANTED.items():
        if kind in kinds and not _is_right(kind, value):
            none = ", or None" if may_be_none else ""
            raise BadDeclaration(f"Settings({name}={shown(value)}): it is {wanted}{none}.")


def _is_right(kind: type, value: object) -> bool:
    match value:
        case timedelta():
            return kind is timedelta and value >= timedelta(0)
        case bool():
            return kind is bool
        case int():
            return kind is int and value >= 1
        case _:
            return False

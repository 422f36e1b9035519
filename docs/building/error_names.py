"""The reference of the errors and of the events, each with what it means."""

import inspect
import logging

from afterwork import errors, events
from afterwork.errors import AfterworkError
from docs.building.declarations import Class
from docs.building.python_names import places
from docs.building.texts import described, linked


def all_errors() -> str:
    """Return the descriptions of all errors, in the order of the source."""
    classes = [obj for _, obj in inspect.getmembers(errors, inspect.isclass) if issubclass(obj, AfterworkError)]
    return "\n".join(map(_error, sorted(classes, key=lambda cls: inspect.getsourcelines(cls)[1])))


def all_events() -> str:
    """Return the descriptions of all events, with the level and the words that they have in the log."""
    classes = [obj for name in events.__all__ if isinstance(obj := getattr(events, name), type)]
    return "\n".join(_event(cls) for cls in classes if cls in events.Event.__args__ or cls is events.Facts)


def _error(cls: type) -> str:
    bases = [base for base in Class(cls).bases if base is not AfterworkError]
    kinds = ", ".join(f"{{py:obj}}`{base.__name__} <{_place(base)}>`" for base in bases)
    kind = f"A kind of {kinds}.\n\n" if kinds and cls is not AfterworkError else ""
    return described("exception", f"afterwork.errors.{cls.__name__}", "", kind + linked(Class(cls).doc, places()))


def _place(base: type) -> str:
    return base.__name__ if base.__module__ == "builtins" else f"{base.__module__}.{base.__name__}"


def _event(cls: type) -> str:
    shape, said = Class(cls), ""
    if issubclass(cls, events.LoggedEvent):
        said = f"\n\nLogged at level *{logging.getLevelName(cls.level).lower()}*: `{cls.message}`"
    doc = linked(shape.doc, places()) + said
    return described("class", f"afterwork.events.{cls.__name__}", shape.signature, doc)

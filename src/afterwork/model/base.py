"""The base of a model: what an application gives to `aw.Afterwork`."""

from sqlalchemy.orm import registry

from afterwork.errors import BadDeclaration, shown

REGISTRY_NAMES = ("registry", "_sa_registry")
"""The attributes in which a base has its registry. SQLModel has only the second, which SQLAlchemy reads."""


def registry_of(base: object) -> registry:
    """Return the registry of a declarative or automap base, or the registry given. Raises `BadDeclaration`."""
    mapped = registry_or_none(base)
    if mapped is None:
        raise BadDeclaration(f"{shown(base)} is no declarative base and no registry. Give aw.Afterwork(Base).")
    return mapped


def registry_or_none(base: object) -> registry | None:
    """Return the registry of a base; None for what is no base."""
    candidates = (base, *(getattr(base, name, None) for name in REGISTRY_NAMES))
    return next((candidate for candidate in candidates if isinstance(candidate, registry)), None)

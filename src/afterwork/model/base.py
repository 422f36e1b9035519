"""The base of a model: what an application gives to `aw.Afterwork`."""

from sqlalchemy.orm import registry

from afterwork.errors import BadDeclaration, shown

REGISTRY_NAMES = ("registry", "_sa_registry")
"""The attributes in which a base has its registry. SQLModel has only the second, which SQLAlchemy reads."""


def registry_of(base: object) -> registry:
    """Return the registry of a declarative or automap base, or the registry given. Raises `BadDeclaration`."""
    candidates = (base, *(getattr(base, name, None) for name in REGISTRY_NAMES))
    mapped = next((candidate for candidate in candidates if isinstance(candidate, registry)), None)
    if mapped is None:
        raise BadDeclaration(f"{shown(base)} is no declarative base and no registry. Give aw.Afterwork(Base).")
    return mapped

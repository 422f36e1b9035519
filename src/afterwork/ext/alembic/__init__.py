"""Alembic: revisions leave Afterwork's own parts alone, and bring them in line with the model.

Alembic finds this package by itself: it is the plugin `alembic.autogenerate.afterwork`. Nothing has to be written into
env.py. See docs/howto/alembic.md.
"""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from afterwork.ext.alembic.filters import include_name, include_object, render_item

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin

__all__ = ["include_name", "include_object", "render_item", "setup"]

PLUGIN = "alembic.autogenerate.afterwork"
"""The name of the plugin. It is among those that Alembic uses unless env.py says otherwise (`autogenerate_plugins`)."""


def setup(plugin: "Plugin") -> None:
    """Register the operations and comparisons. Alembic calls this when it is imported."""
    # Not before: Alembic loads its plugins while it is being imported itself.
    from alembic.util import DispatchPriority
    from alembic.util.langhelpers import ModuleClsProxy

    from afterwork.compat.alembic_internals import remember_url
    from afterwork.ext.alembic import comparison, operations, table_changes

    remember_url(ModuleClsProxy)
    operations.register()
    table_changes.register()
    plugin.add_autogenerate_comparator(comparison.leave_out_own, "autogenerate", priority=DispatchPriority.FIRST)
    plugin.add_autogenerate_comparator(comparison.add_installation, "autogenerate", priority=DispatchPriority.LAST)


class _PluginModule(ModuleType):
    """A module that is also the collection of itself: Alembic 1.18 and 1.19 iterate over what an entry point names."""

    def __iter__(self) -> Iterator[ModuleType]:
        yield self


sys.modules[__name__].__class__ = _PluginModule

import alembic as alembic  # noqa: E402  it calls `setup`, and the modules of this package need all of it

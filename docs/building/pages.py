"""The pages of the site: those that stand in docs/, with what is made from the code where they ask for it.

A page asks for it by a comment: `<!-- from the code: aw.later aw.session -->`, or `… settings -->`.
"""

import re
from collections.abc import Callable, Mapping

from docs.building.commands import all_commands
from docs.building.error_names import all_errors, all_events
from docs.building.python_names import description
from docs.building.settings import all_settings

LISTS: Mapping[str, Callable[[], str]] = {
    "commands": all_commands,
    "errors": all_errors,
    "events": all_events,
    "settings": all_settings,
}
"""The complete listings, each by the name under which a page asks for it."""

MARK = re.compile(r"<!-- from the code: ([^>]*?) -->")


def completed(text: str) -> str:
    """Return a page with what it asks for. Raises `LookupError` for a name that the code doesn't have."""
    return MARK.sub(lambda found: "\n".join(map(_made, found[1].split())), text)


def _made(name: str) -> str:
    return LISTS[name]() if name in LISTS else description(name)

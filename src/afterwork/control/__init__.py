"""Everything that can be done to an installation by hand, for the command line and whoever else offers it."""

from afterwork.control.service import MOST, Control
from afterwork.control.tickets import Acts, LeftAlone, Selected, told

__all__ = ["MOST", "Acts", "Control", "LeftAlone", "Selected", "told"]

"""Everything that can be done to an installation by hand, for the command line and whoever else offers it."""

from afterwork.control.service import MAX_TICKETS, Control
from afterwork.control.tickets import ActResult, LeftAlone, Selected, result_lines

__all__ = ["MAX_TICKETS", "ActResult", "Control", "LeftAlone", "Selected", "result_lines"]

"""Acts on an installation by hand, for the command line, the web page and the API."""

from afterwork.control.service import MAX_TICKETS, Control
from afterwork.control.tickets import (
    CANCEL,
    RETRY,
    RUN_NOW,
    TICKET_ACTS,
    ActResult,
    LeftAlone,
    Selected,
    TicketAct,
    result_lines,
)

__all__ = [
    "CANCEL",
    "MAX_TICKETS",
    "RETRY",
    "RUN_NOW",
    "TICKET_ACTS",
    "ActResult",
    "Control",
    "LeftAlone",
    "Selected",
    "TicketAct",
    "result_lines",
]

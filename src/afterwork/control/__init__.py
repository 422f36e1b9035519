"""Acts on an installation by hand, for the command line, the web page and the API."""

from afterwork.control.acts import NAMED_ACTS, NamedAct, Thing, act_on
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
    "NAMED_ACTS",
    "RETRY",
    "RUN_NOW",
    "TICKET_ACTS",
    "ActResult",
    "Control",
    "LeftAlone",
    "NamedAct",
    "Selected",
    "Thing",
    "TicketAct",
    "act_on",
    "result_lines",
]

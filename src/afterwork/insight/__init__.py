"""Everything that can be read of an installation, for the command line and whoever else shows it."""

from afterwork.insight.check import Finding
from afterwork.insight.history import Latency, Minute, Total
from afterwork.insight.machines import MachineView, StateView
from afterwork.insight.once import OnceView
from afterwork.insight.service import Insight
from afterwork.insight.status import Status
from afterwork.insight.tickets import TicketPage, TicketView
from afterwork.insight.timers import TimerView
from afterwork.store.history import RunRecord
from afterwork.store.ticket_filter import State, TicketFilter
from afterwork.store.ticket_walk import Count

__all__ = [
    "Count",
    "Finding",
    "Insight",
    "Latency",
    "MachineView",
    "Minute",
    "OnceView",
    "RunRecord",
    "State",
    "StateView",
    "Status",
    "TicketFilter",
    "TicketPage",
    "TicketView",
    "TimerView",
    "Total",
]

"""Everything that can be read of an installation, for the command line and whoever else shows it."""

from afterwork.insight.check import Finding
from afterwork.insight.machines import MachineView, StateView
from afterwork.insight.once import OnceView
from afterwork.insight.service import Insight
from afterwork.insight.status import Status
from afterwork.insight.tickets import State, TicketView
from afterwork.insight.timers import TimerView

__all__ = [
    "Finding",
    "Insight",
    "MachineView",
    "OnceView",
    "State",
    "StateView",
    "Status",
    "TicketView",
    "TimerView",
]

"""Everything that can be read of an installation, for the command line and whoever else shows it."""

from afterwork.insight.machines import MachineView, StateView
from afterwork.insight.service import Finding, Insight, OnceView, State, Status, TicketView, TimerView

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

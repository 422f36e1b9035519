"""Everything that can be read of an installation, for the command line and whoever else shows it."""

from afterwork.insight.history import Latency, Minute, Total
from afterwork.insight.machines import MachineView, StateView
from afterwork.insight.service import Finding, Insight, OnceView, State, Status, TicketView, TimerView
from afterwork.store.history import RunRecord

__all__ = [
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
    "TicketView",
    "TimerView",
    "Total",
]

"""Everything that can be read of an installation, for the command line and whoever else shows it."""

from afterwork.insight.cache_list import CacheLine
from afterwork.insight.caches import CacheSummary, Filling
from afterwork.insight.check import Finding, Limits
from afterwork.insight.count import Count
from afterwork.insight.gauges import Gauges, LaneGauge, Transaction
from afterwork.insight.history import Latency, Minute, Total
from afterwork.insight.machines import MachineView, StateView
from afterwork.insight.once import OnceView
from afterwork.insight.overview import Attention, MinuteSums, Overview
from afterwork.insight.page import Page
from afterwork.insight.service import Insight
from afterwork.insight.status import Status
from afterwork.insight.tickets import State, TicketView
from afterwork.insight.timers import TimerView
from afterwork.store.history import RunRecord

__all__ = [
    "Attention",
    "CacheLine",
    "CacheSummary",
    "Count",
    "Filling",
    "Finding",
    "Gauges",
    "Insight",
    "LaneGauge",
    "Latency",
    "Limits",
    "MachineView",
    "Minute",
    "MinuteSums",
    "OnceView",
    "Overview",
    "Page",
    "RunRecord",
    "State",
    "StateView",
    "Status",
    "TicketView",
    "TimerView",
    "Total",
    "Transaction",
]

"""Read-only views of an installation, for the command line, the web page and the API."""

from afterwork.derived.explain.explanation import CacheLine
from afterwork.insight.attention import Attention, Remedy
from afterwork.insight.caches import BackfillProgress, CacheSummary
from afterwork.insight.check import CheckLimits, Finding
from afterwork.insight.failures import FailedThing, FailureGroup
from afterwork.insight.flows import FlowLevel, FlowView
from afterwork.insight.gauges import Gauges, LaneGauge
from afterwork.insight.history import Latency, RunMinute, RunTotal
from afterwork.insight.lanes import Activity, LaneView
from afterwork.insight.machines import MachineView, StateView
from afterwork.insight.once import OnceView
from afterwork.insight.overview import Overview, OverviewMinute
from afterwork.insight.page import ListPage
from afterwork.insight.running import RunningView, SuspectView
from afterwork.insight.servers import ServerView
from afterwork.insight.service import Insight
from afterwork.insight.status import Status
from afterwork.insight.tally import Tally
from afterwork.insight.ticket import TicketDetail, TimelineStep
from afterwork.insight.tickets import TicketPage, TicketView
from afterwork.insight.timers import TimerDetail, TimerView
from afterwork.insight.transactions import Blocker, OpenTransaction
from afterwork.insight.verdict import Verdict
from afterwork.store.bounded_count import Count
from afterwork.store.history import RunRecord
from afterwork.store.tickets.filter import TicketFilter, TicketState

__all__ = [
    "Activity",
    "Attention",
    "BackfillProgress",
    "Blocker",
    "CacheLine",
    "CacheSummary",
    "CheckLimits",
    "Count",
    "FailedThing",
    "FailureGroup",
    "Finding",
    "FlowLevel",
    "FlowView",
    "Gauges",
    "Insight",
    "LaneGauge",
    "LaneView",
    "Latency",
    "ListPage",
    "MachineView",
    "OnceView",
    "OpenTransaction",
    "Overview",
    "OverviewMinute",
    "Remedy",
    "RunMinute",
    "RunRecord",
    "RunTotal",
    "RunningView",
    "ServerView",
    "StateView",
    "Status",
    "SuspectView",
    "Tally",
    "TicketDetail",
    "TicketFilter",
    "TicketPage",
    "TicketState",
    "TicketView",
    "TimelineStep",
    "TimerDetail",
    "TimerView",
    "Verdict",
]

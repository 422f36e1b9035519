"""Afterwork does stuff later, in the database you already have."""

from afterwork.app import Afterwork, Ended
from afterwork.clock import Clock, ManualClock, SystemClock
from afterwork.jobs.outcome import Outcome, Raised, Rejected, Succeeded, Superseded
from afterwork.jobs.run import Run, current_run
from afterwork.model.external_id import external_id
from afterwork.model.later import later, session
from afterwork.model.method import BoundMethod, can, method
from afterwork.model.reading import from_external_id
from afterwork.model.retry import Retry
from afterwork.model.ticket import AsyncTicket
from afterwork.model.viewmodel import Model, ViewModel, action, column, on_exception
from afterwork.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "Afterwork",
    "AsyncTicket",
    "BoundMethod",
    "Clock",
    "Ended",
    "ManualClock",
    "Model",
    "Outcome",
    "Raised",
    "Rejected",
    "Retry",
    "Run",
    "Settings",
    "Succeeded",
    "Superseded",
    "SystemClock",
    "ViewModel",
    "action",
    "can",
    "column",
    "current_run",
    "external_id",
    "from_external_id",
    "later",
    "method",
    "on_exception",
    "session",
]

"""Afterwork does stuff later, in the database you already have.

Each name of this package is imported when it is first used, so a program that only declares a model, or only asks for
work, does not load the server.
"""

from typing import TYPE_CHECKING

# The package comes first, since the function of the same name takes its place.
from afterwork import derived as _  # noqa: F401
from afterwork.model.derived import Derived, derived
from afterwork.on_demand import names_on_demand
from afterwork.saving import listeners as listeners
from afterwork.version import VERSION
from afterwork.web import Identity, web

if TYPE_CHECKING:
    from afterwork import aio as aio
    from afterwork.app import Afterwork, Ended
    from afterwork.clock import Clock, ManualClock, SystemClock
    from afterwork.derived.compute.fresh import fresh, is_stale
    from afterwork.derived.tracking.explicit_dependencies import depends_on, passed
    from afterwork.derived.tracking.hidden_state import untracked
    from afterwork.errors import Cancelled, TimedOut
    from afterwork.jobs.async_run import read
    from afterwork.jobs.chosen_outcomes import give_up, retry_in
    from afterwork.jobs.progress import progress
    from afterwork.jobs.run import (
        Hindered,
        Outcome,
        Raised,
        Rejected,
        Run,
        Succeeded,
        Superseded,
        Withdrawn,
        current_run,
    )
    from afterwork.jobs.steps import step
    from afterwork.model.arguments.kind import Secret
    from afterwork.model.declarations import DECLARATIONS
    from afterwork.model.expression import eal, ocl
    from afterwork.model.external_id import external_id
    from afterwork.model.inspection import from_external_id
    from afterwork.model.job_function import JobFunction
    from afterwork.model.lane import Lane
    from afterwork.model.machine.chart import track_history
    from afterwork.model.machine.declaration import BoundMachine
    from afterwork.model.method import BoundMethod, GivenWork, can, method
    from afterwork.model.retry import Retry
    from afterwork.model.ticket import AsyncTicket
    from afterwork.model.variable import variable
    from afterwork.model.viewmodel import Model, ViewModel, action, column, on_exception
    from afterwork.model.when import Cron, Every, Once, WhenStale
    from afterwork.saving.flow import after, chain
    from afterwork.saving.later import later
    from afterwork.saving.later_many import ManyTickets, later_many
    from afterwork.saving.machine.player import machine
    from afterwork.saving.machine.state_scoped import while_in
    from afterwork.saving.sameness import By, Debounce, by, debounce
    from afterwork.saving.sessions import session
    from afterwork.settings import Settings
    from afterwork.store.journal.unwatched import UNWATCHED
    from afterwork.waiting.wait import wait, wait_async
else:
    __getattr__, __dir__ = names_on_demand(
        __name__,
        {
            "app": "Afterwork Ended",
            "clock": "Clock ManualClock SystemClock",
            "derived.compute.fresh": "fresh is_stale",
            "derived.tracking.explicit_dependencies": "depends_on passed",
            "derived.tracking.hidden_state": "untracked",
            "errors": "Cancelled TimedOut",
            "jobs.async_run": "read",
            "jobs.chosen_outcomes": "give_up retry_in",
            "jobs.progress": "progress",
            "jobs.steps": "step",
            "jobs.run": "Hindered Outcome Raised Rejected Run Succeeded Superseded Withdrawn current_run",
            "model.arguments.kind": "Secret",
            "model.declarations": "DECLARATIONS",
            "model.expression": "eal ocl",
            "model.external_id": "external_id",
            "model.inspection": "from_external_id",
            "model.job_function": "JobFunction",
            "model.lane": "Lane",
            "model.machine.chart": "track_history",
            "model.machine.declaration": "BoundMachine",
            "model.method": "BoundMethod GivenWork can method",
            "model.retry": "Retry",
            "model.ticket": "AsyncTicket",
            "model.variable": "variable",
            "model.viewmodel": "Model ViewModel action column on_exception",
            "model.when": "Cron Every Once WhenStale",
            "saving.flow": "after chain",
            "saving.later": "later",
            "saving.later_many": "ManyTickets later_many",
            "saving.machine.player": "machine",
            "saving.machine.state_scoped": "while_in",
            "saving.sessions": "session",
            "saving.sameness": "By Debounce by debounce",
            "settings": "Settings",
            "store.journal.unwatched": "UNWATCHED",
            "waiting.wait": "wait wait_async",
        },
        modules=["aio"],
    )


__version__ = VERSION

__all__ = [
    "DECLARATIONS",
    "UNWATCHED",
    "Afterwork",
    "AsyncTicket",
    "BoundMachine",
    "BoundMethod",
    "By",
    "Cancelled",
    "Clock",
    "Cron",
    "Debounce",
    "Derived",
    "Ended",
    "Every",
    "GivenWork",
    "Hindered",
    "Identity",
    "JobFunction",
    "Lane",
    "ManualClock",
    "ManyTickets",
    "Model",
    "Once",
    "Outcome",
    "Raised",
    "Rejected",
    "Retry",
    "Run",
    "Secret",
    "Settings",
    "Succeeded",
    "Superseded",
    "SystemClock",
    "TimedOut",
    "ViewModel",
    "WhenStale",
    "Withdrawn",
    "action",
    "after",
    "aio",
    "by",
    "can",
    "chain",
    "column",
    "current_run",
    "debounce",
    "depends_on",
    "derived",
    "eal",
    "external_id",
    "fresh",
    "from_external_id",
    "give_up",
    "is_stale",
    "later",
    "later_many",
    "machine",
    "method",
    "ocl",
    "on_exception",
    "passed",
    "progress",
    "read",
    "retry_in",
    "session",
    "step",
    "track_history",
    "untracked",
    "variable",
    "wait",
    "wait_async",
    "web",
    "while_in",
]

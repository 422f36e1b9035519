"""The tickets that a test has asked for, found by what `aw.later` was given."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session, object_session, undefer

from afterwork.errors import BadRequest, shown
from afterwork.insight.ticket import shown_arguments
from afterwork.model.contract import ContractAttribute
from afterwork.model.external_id import external_id_or_none
from afterwork.model.inspection import ModelInfo
from afterwork.model.job_function import JobFunction
from afterwork.model.known_names import instead_of
from afterwork.model.lane import MAIN, Lane, lane_name
from afterwork.model.machine.state_scope import base_of
from afterwork.model.method import BoundMethod, GivenWork, Method
from afterwork.model.viewmodel import ViewModel, variables_to_carry
from afterwork.model.work import MethodWork, name_of_method
from afterwork.saving.later import Declared
from afterwork.saving.sameness import By, Sameness
from afterwork.testing.movable_clock import MovableClock

RequestedWork = (
    BoundMethod[Any]
    | GivenWork[Any]
    | JobFunction[Any]
    | Method[Any, Any]
    | ViewModel[Any]
    | type[ViewModel[Any]]
    | str
)
"""A work on a root, as `aw.later` takes it; or, by its class or name, on any root."""


class Asked(list[Any]):
    """Tickets, in the order in which they were saved. If there are none, its text tells what was asked for instead."""

    def __init__(self, tickets: Sequence[Any], instead: str) -> None:
        super().__init__(tickets)
        self._instead = instead

    def __repr__(self) -> str:
        return super().__repr__() if self else f"[] ({self._instead})"


@dataclass(frozen=True)
class Wanted:
    """The likeness of a ticket. `at` and `after` are as for `aw.later`."""

    work: RequestedWork | None
    at: datetime | None
    after: timedelta | None
    lane: str | Lane | Declared | None
    priority: int | None


@dataclass(frozen=True)
class Requests:
    """The tickets that a session sees. `clock` tells at which times a test may have asked for them."""

    model: ModelInfo
    session: Session
    clock: MovableClock

    def like(self, wanted: Wanted) -> Asked:
        """Return the tickets that are as wanted. The session of a work's root is flushed before."""
        if wanted.at is not None and wanted.after is not None:
            raise BadRequest("Give at= or after=, not both.")
        names, root = self._named(wanted.work)
        sameness = _sameness(wanted.work)
        contract = self.model.contract
        all_of_them = select(contract.mapper.class_).order_by(contract.key.column).options(undefer("*"))
        tickets = self.session.scalars(all_of_them).all()
        self.session.expunge_all()
        alike = [ticket for ticket in tickets if self._is_like(ticket, wanted, names, root)]
        same = [ticket for ticket in alike if sameness is None or sameness.has(self._arguments(ticket))]
        return Asked(same, self._told(tickets))

    def _named(self, work: RequestedWork | None) -> tuple[set[str] | None, str | None]:
        """Return the names that a work has in tickets, and its root's external id; None for any."""
        match work:
            case None:
                return None, None
            case str():
                return {self._known(work)}, None
            case GivenWork(work=inner):
                return self._named(inner)
            case BoundMethod(target=root, method=method):
                return {name_of_method(inspect(root).mapper, method)}, self._root(root)
            case ViewModel(root=root):
                return {type(work).__name__}, None if root is None else self._root(root)
        return self._named_on_any(work), None

    def _named_on_any(self, work: object) -> set[str]:
        match work:
            case JobFunction(name=name):
                return {name}
            case Method():
                works = self.model.works.values()
                return {known.name for known in works if isinstance(known, MethodWork) and known.method is work}
            case type() if issubclass(work, ViewModel):
                return {work.__name__}
        raise BadRequest(f"{shown(work)} is no work. Give what aw.later takes, a class's method, or a name.")

    def _known(self, name: str) -> str:
        work = self.model.works.get(name)
        if work is None:
            known = instead_of(name, sorted(self.model.works), verb="It has")
            raise BadRequest(f"The model has no work {shown(name)}. {known}")
        return work.name

    def _root(self, root: Any) -> str:
        session = object_session(root)
        if session is not None:
            session.flush()
        root_id = external_id_or_none(root)
        if root_id is None:
            raise BadRequest(f"This {type(root).__name__} is not saved, so no ticket can name it yet.")
        return root_id

    def _is_like(self, ticket: Any, wanted: Wanted, names: set[str] | None, root: str | None) -> bool:
        contract = self.model.contract
        return (
            (names is None or base_of(_value(ticket, contract.view_model) or "") in names)
            and (root is None or _value(ticket, contract.root_id) == root)
            and (wanted.at is None or self._earliest(ticket) == wanted.at)
            and (wanted.after is None or self._was_asked(ticket, wanted.after))
            and (isinstance(wanted.lane, Declared) or self._lane(ticket) == lane_name(wanted.lane))
            and (wanted.priority is None or _value(ticket, contract.priority) == wanted.priority)
        )

    def _was_asked(self, ticket: Any, after: timedelta) -> bool:
        """Return whether a ticket was given this delay: at some time it was as long as this until its time."""
        earliest = self._earliest(ticket)
        return earliest is not None and self.clock.has_told(earliest - after)

    def _earliest(self, ticket: Any) -> datetime | None:
        earliest = _value(ticket, self.model.contract.execute_earliest)
        return None if earliest is None else earliest.replace(tzinfo=earliest.tzinfo or UTC)

    def _arguments(self, ticket: Any) -> Any:
        value = _value(ticket, self.model.contract.arguments)
        return json.dumps(value) if isinstance(value, dict) else value

    def _lane(self, ticket: Any) -> str:
        declared = self.model.works.get(base_of(_value(ticket, self.model.contract.view_model) or ""))
        return _value(ticket, self.model.contract.lane) or (MAIN if declared is None else declared.lane)

    def _told(self, tickets: Sequence[Any]) -> str:
        return "; ".join(self._described(tickets)) or "nothing was asked for"

    def _described(self, tickets: Sequence[Any]) -> Iterator[str]:
        for ticket in tickets:
            contract = self.model.contract
            work, root = _value(ticket, contract.view_model), _value(ticket, contract.root_id)
            earliest = self._earliest(ticket)
            on = "" if root is None else f" on {root}"
            when = "" if earliest is None else f" at {earliest:%Y-%m-%d %H:%M:%S}"
            yield f"{work}{on}{self._with_arguments(ticket, work)}{when} was asked for"

    def _with_arguments(self, ticket: Any, work: str) -> str:
        text = self._arguments(ticket)
        if text is None:
            return ""
        visible = shown_arguments(text, self.model.works.get(base_of(work or "")))
        return f" with {', '.join(f'{name}={value!r}' for name, value in visible.items())}"


def _sameness(work: RequestedWork | None) -> Sameness | None:
    """Return the sameness of arguments that a work was given; None if it was given none."""
    match work:
        case GivenWork(arguments=arguments):
            pass
        case ViewModel() if (carried := variables_to_carry(work)) is not None:
            arguments = carried
        case _:
            return None
    return Sameness.of(arguments.parameters, arguments, By())


def _value(ticket: Any, attribute: ContractAttribute | None) -> Any:
    return None if attribute is None else getattr(ticket, attribute.name)

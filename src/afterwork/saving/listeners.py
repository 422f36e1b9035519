"""Everything that Afterwork has SQLAlchemy call in the application's sessions, in the order in which it is called.

These listeners belong to the process: they hold for each session and each mapped class. What isn't a ticket, and has
no machine, passes them after one look at its class.
"""

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Mapper, Session

from afterwork.model.ticket import is_ticket_class
from afterwork.saving.machine.play import enter_first_states
from afterwork.saving.ticket_class import complete_class
from afterwork.saving.ticket_rows import complete_tickets, resolve_changed_root, resolve_late_roots, resolve_root


@event.listens_for(Mapper, "after_mapper_constructed")
def _class_was_mapped(mapper: Mapper[Any], cls: type) -> None:
    if is_ticket_class(cls):
        complete_class(mapper)
        event.listen(mapper, "before_insert", resolve_root)
        event.listen(mapper, "before_update", resolve_changed_root)


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, flush: object, instances: object) -> None:
    complete_tickets(session)
    enter_first_states(session)


@event.listens_for(Session, "after_flush")
def _after_flush(session: Session, flush: object) -> None:
    resolve_late_roots(session)

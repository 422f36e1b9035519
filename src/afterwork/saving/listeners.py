"""Everything that Afterwork has SQLAlchemy call in the application's sessions, in the order in which it is called.

These listeners belong to the process: they hold for each session and each mapped class. What isn't a ticket, and has
no machine, passes them after one look at its class. They hold as soon as Afterwork is imported, so what they need is
imported when they are first called.
"""

from typing import Any, NoReturn

from sqlalchemy import event
from sqlalchemy.orm import Mapper, Session, object_session

from afterwork.compat.sqlalchemy_mappers import after_merge, refuse_in_bulk
from afterwork.errors import BadRequest
from afterwork.model.contract import root_id_names
from afterwork.model.ticket import IN_FLOWS, ROOT, ROOT_OBJECT, RootObject, is_ticket_class


def complete_class(mapper: Mapper[Any]) -> None:
    """Give a ticket class its `root_object`, and have `merge` and bulk inserts treat that as they should."""
    cls: Any = mapper.class_
    if not hasattr(cls, ROOT_OBJECT):
        cls.root_object = RootObject()
    refuse_in_bulk(mapper, ROOT_OBJECT, _refuse_root_object)
    for name in root_id_names(mapper):
        after_merge(mapper, name, _merge_root)


def _refuse_root_object() -> NoReturn:
    raise BadRequest(
        "Tickets that are saved in bulk, by bulk_insert_mappings or insert(), have no root_object. Flush the "
        "root, and give its external id: root_id=aw.external_id(root)."
    )


def _merge_root(session: Session, given: dict[str, Any], merged: dict[str, Any], load: bool) -> None:
    """Merge the root of a ticket that is being merged, as `session.merge` does with what a relationship leads to."""
    root = given.get(ROOT)
    if root is not None:
        merged[ROOT] = root if object_session(root) is session else session.merge(root, load=load)


@event.listens_for(Mapper, "after_mapper_constructed")
def _class_was_mapped(mapper: Mapper[Any], cls: type) -> None:
    if is_ticket_class(cls):
        from afterwork.saving.flow import note
        from afterwork.saving.ticket_rows import resolve_changed_root, resolve_root

        complete_class(mapper)
        event.listen(mapper, "before_insert", resolve_root)
        event.listen(mapper, "before_insert", note)
        event.listen(mapper, "before_update", resolve_changed_root)


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, flush: object, instances: object) -> None:
    from afterwork.saving.machine.play import enter_first_states
    from afterwork.saving.ticket_rows import complete_tickets

    complete_tickets(session)
    enter_first_states(session)


@event.listens_for(Session, "after_flush")
def _after_flush(session: Session, flush: object) -> None:
    from afterwork.saving.ticket_rows import resolve_late_ids

    resolve_late_ids(session)
    if IN_FLOWS in session.info:
        from afterwork.saving.flow import save_flows

        save_flows(session)

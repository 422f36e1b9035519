"""The tickets of a flush: check them, complete them, and write their RootIds and arguments."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import inspect, update
from sqlalchemy.orm import Mapper, Session, object_session
from sqlalchemy.orm.attributes import set_committed_value

from afterwork.compat.sqlalchemy_session import new_objects
from afterwork.errors import BadRequest, shown
from afterwork.model.contract import DEFAULT_KEEP_MINUTES, MAX_KEEP_MINUTES, Contract, ContractAttribute
from afterwork.model.external_id import external_id_or_none
from afterwork.model.ticket import IN_FLOWS, ROOT, ROOT_NOT_SAVED, bring_along, contract_of, is_ticket_class
from afterwork.model.utc_datetime import UtcDateTime, aware
from afterwork.saving import ticket_arguments

WITHOUT_IDS = "afterwork.without_ids"
"""The entry in a session's `info` that lists tickets saved before the objects that they name.

It is that of the flush that goes on. Each ticket stands there with whether its RootId was known."""


def complete_tickets(session: Session) -> None:
    """Check and complete the tickets that a flush is about to insert, and add their new roots to the session.

    Raises `BadRequest`, and `NaiveDatetime`.
    """
    for left in (WITHOUT_IDS, IN_FLOWS):
        session.info.pop(left, None)  # a flush that failed has left it
    for ticket in _tickets(new_objects(session)):
        contract = contract_of(type(ticket))
        _complete_row(ticket, contract)
        forget_not_saved(ticket, contract)
        bring_along(vars(ticket).get(ROOT), session)
        ticket_arguments.complete(ticket, contract)


def _tickets(objects: Iterable[Any]) -> list[Any]:
    return [obj for obj in objects if is_ticket_class(type(obj))]


def forget_not_saved(ticket: object, contract: Contract) -> None:
    """Set a RootId that isn't known yet to null, which a flush can write."""
    if vars(ticket).get(contract.root_id.name) is ROOT_NOT_SAVED:
        setattr(ticket, contract.root_id.name, None)


def _complete_row(ticket: object, contract: Contract) -> None:
    keep_name = contract.keep_receipt_minutes.name
    keep = getattr(ticket, keep_name)
    if keep is None:
        setattr(ticket, keep_name, DEFAULT_KEEP_MINUTES)
    elif not 0 <= keep <= MAX_KEEP_MINUTES:
        raise BadRequest(
            f"A ticket's {keep_name} is {keep}. It must be 0 or more minutes, at most {MAX_KEEP_MINUTES:,}."
        )
    for attribute in (contract.execute_earliest, contract.not_after):
        timestamp = None if attribute is None else vars(ticket).get(attribute.name)
        if attribute is not None and timestamp is not None:
            _check_timestamp(timestamp, attribute)


def _check_timestamp(timestamp: object, attribute: ContractAttribute) -> None:
    if not isinstance(timestamp, datetime):
        raise BadRequest(f"A ticket's {attribute.name} is {shown(timestamp)}, not a datetime.")
    if isinstance(attribute.column.type, UtcDateTime):
        aware(timestamp)


def resolve_root(mapper: Mapper[Any], connection: object, ticket: Any) -> None:
    """Write the root's external id into a ticket about to be inserted, or note that it comes later.

    Raises `BadRequest` if the root is in another database.
    """
    root = vars(ticket).get(ROOT)
    _check_database(mapper, ticket, root)
    has_root = _resolve_root(ticket, root)
    has_arguments = ticket_arguments.resolve(ticket, contract_of(type(ticket)))
    if not (has_root and has_arguments):
        session = object_session(ticket)
        assert session is not None  # it is being flushed by one
        session.info.setdefault(WITHOUT_IDS, []).append((ticket, has_root))


def _resolve_root(ticket: Any, root: Any) -> bool:
    """Write the root's external id into a ticket, or return False if it isn't known yet."""
    attribute = contract_of(type(ticket)).root_id.name
    if root is None or (vars(ticket).get(attribute) and not _has_its_key(root)):
        return True
    text = external_id_or_none(root)
    if text is None:
        return False
    if getattr(ticket, attribute) != text:
        setattr(ticket, attribute, text)
    return True


def _check_database(mapper: Mapper[Any], ticket: Any, root: object) -> None:
    session = object_session(ticket)
    if root is None or session is None:
        return
    root_mapper = inspect(root).mapper
    own, others = session.get_bind(mapper), session.get_bind(root_mapper)
    if own is not others:
        raise BadRequest(
            f"The session saves tickets by {own.engine}, but {root_mapper.class_.__name__} by {others.engine}: not in "
            "one transaction, so that one could be saved without the other. Give the classes of each database a base "
            "of their own with a class SysAsyncTicket, and each base a server."
        )


def resolve_changed_root(mapper: Mapper[Any], connection: object, ticket: Any) -> None:
    """Do the same for a ticket about to be updated, if it was given a new root without a key.

    The root that it was inserted with may have changed or gone since; that makes no difference.
    """
    contract = contract_of(type(ticket))
    if vars(ticket).get(contract.root_id.name, "") in (None, ROOT_NOT_SAVED):
        forget_not_saved(ticket, contract)
        resolve_root(mapper, connection, ticket)


def _has_its_key(root: object) -> bool:
    """Return whether an object's key is known without asking the database, which may not have it any more."""
    mapper: Mapper[Any] = inspect(root).mapper
    return all(mapper.get_property_by_column(column).key in vars(root) for column in mapper.primary_key)


def resolve_late_ids(session: Session) -> None:
    """Write the RootIds and arguments of tickets that were inserted before the objects that these name.

    It is done in the same transaction, by one statement for tickets that lack the same."""
    alike: dict[tuple[type, frozenset[str]], list[dict[str, Any]]] = {}
    for ticket, has_root in session.info.pop(WITHOUT_IDS, ()):
        contract = contract_of(type(ticket))
        root = {} if has_root else {contract.root_id.name: _late_root_id(vars(ticket)[ROOT])}
        values = {**root, **ticket_arguments.late(ticket, contract)}
        for name, value in values.items():
            set_committed_value(ticket, name, value)
        row = {contract.key.name: getattr(ticket, contract.key.name), **values}
        alike.setdefault((type(ticket), frozenset(values)), []).append(row)
    for (cls, _), rows in alike.items():
        session.execute(update(cls), rows)


def _late_root_id(root: object) -> str:
    root_id = external_id_or_none(root)
    if root_id is None:
        raise BadRequest(
            f"The root of a ticket, a new {type(root).__name__}, was not saved together with it: it is in another "
            "session, or not among the objects that were to be flushed. Flush it first."
        )
    return root_id

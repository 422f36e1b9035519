"""The ticket: one row of a class named SysAsyncTicket, saved with the data that it is about.

Any mapped class of that name becomes one when it is mapped: it gets the transient attribute `root_object`, and its rows
get their RootId inside the flush that saves them.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, FetchedValue, Integer, MetaData, Text, event, func, inspect, update
from sqlalchemy.orm import Mapped, Mapper, Session, mapped_column, object_session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.util import HasMemoized

from afterwork.errors import BadRequest, shown
from afterwork.model.contract import (
    CLASS_NAME,
    DEFAULT_KEEP_MINUTES,
    MOST_KEEP_MINUTES,
    Contract,
    ContractAttribute,
    root_id_names,
)
from afterwork.model.external_id import external_id_or_none
from afterwork.model.utc_datetime import UtcDateTime, aware

ROOT = "_afterwork_root"
ROOT_OBJECT = "root_object"
CONTRACT = "afterwork.contract"
WITHOUT_ROOT_ID = "afterwork.without_root_id"


class RootObject:
    """The transient association of a ticket: any mapped object. Only its external id is stored, as RootId."""

    def __get__(self, ticket: object | None, owner: type) -> Any:
        return self if ticket is None else vars(ticket).get(ROOT)

    def __set__(self, ticket: object, root: object | None) -> None:
        vars(ticket)[ROOT] = root
        _bring_along(root, object_session(ticket))
        attribute = contract_of(type(ticket)).root_id.name
        setattr(ticket, attribute, None if root is None else external_id_or_none(root) or ROOT_NOT_SAVED)


class RootNotSaved:
    """Stands in RootId until the flush that saves a ticket, whose root has no key yet. Whoever saves the ticket without
    one, as `bulk_save_objects` does, is refused by the driver, since no RootId can be had then."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "(the ticket's root is not saved yet: flush it first, or save the ticket by session.add)"

    def __reduce__(self) -> str:
        return "ROOT_NOT_SAVED"  # there is one of it, also after a ticket was pickled or copied


ROOT_NOT_SAVED: Any = RootNotSaved()


def _bring_along(root: object | None, session: Session | None) -> None:
    """Add the root of a ticket to its session, as a relationship would, unless it is in one."""
    if root is not None and session is not None and object_session(root) is None:
        session.add(root)


class AsyncTicket:
    """The ready-made ticket. Derive from it and from your base: `class SysAsyncTicket(aw.AsyncTicket, Base): ...`."""

    __tablename__ = "sys_async_ticket"
    # Keys that come back after a receipt was deleted would name two different pieces of work.
    __table_args__: Any = {"sqlite_autoincrement": True}
    # What the database would fill in has been filled in by then; asking for it costs an eighth of saving a ticket.
    __mapper_args__: Any = {"eager_defaults": False}

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    view_model: Mapped[str | None] = mapped_column(Text)
    root_id: Mapped[str | None] = mapped_column(Text)
    execute_earliest: Mapped[datetime | None] = mapped_column(UtcDateTime)
    keep_receipt_minutes: Mapped[int] = mapped_column(
        Integer, default=DEFAULT_KEEP_MINUTES, server_default=str(DEFAULT_KEEP_MINUTES)
    )
    done: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delete_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(Text)
    priority: Mapped[int | None] = mapped_column(Integer)
    lane: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created: Mapped[datetime] = mapped_column(UtcDateTime, default=lambda: datetime.now(UTC), server_default=func.now())
    # Left out of statements that don't need it, so that a table of an earlier version, which lacks it, still serves.
    not_after: Mapped[datetime | None] = mapped_column(UtcDateTime, server_default=FetchedValue(), deferred=True)

    root_object = RootObject()


def contract_of(cls: type) -> Contract:
    """The contract of a ticket class, matched once. Raises `ModelError` with all that is missing."""
    mapper: Mapper[Any] = inspect(cls)
    info = mapper.local_table.metadata.info  # type: ignore[attr-defined]
    contract = info.get(CONTRACT)
    if contract is None or contract.mapper is not mapper:
        contract = info[CONTRACT] = Contract.of(mapper)
    return contract  # type: ignore[no-any-return]


def ticket_contract(obj: object) -> Contract | None:
    """The contract of the tickets that are saved beside `obj`, or None if its model has no ticket class."""
    mapper: Mapper[Any] = inspect(obj).mapper
    metadata: MetaData = mapper.local_table.metadata  # type: ignore[attr-defined]
    if CONTRACT not in metadata.info:
        for other in mapper.registry.mappers:
            if is_ticket_class(other.class_):
                return contract_of(other.class_)
    return metadata.info.get(CONTRACT)


def is_ticket_class(cls: type) -> bool:
    """Whether a mapped class is a model's ticket class: it is found by its name alone."""
    return cls.__name__ == CLASS_NAME


@event.listens_for(Mapper, "after_mapper_constructed")
def adopt(mapper: Mapper[Any], cls: type) -> None:
    """Make a ticket class of each class that is mapped under the name."""
    if not is_ticket_class(cls):
        return
    if not hasattr(cls, "root_object"):
        cls.root_object = RootObject()  # type: ignore[attr-defined]
    mapper.__class__ = TicketMapper
    event.listen(mapper, "before_insert", resolve_root)
    event.listen(mapper, "before_update", resolve_changed_root)
    for name in root_id_names(mapper):
        carry_root(mapper, name)


class NotInBulk(dict[str, Any]):
    """The columns of a ticket class by their attributes. In bulk, where there are no objects but mappings, SQLAlchemy
    looks up each key of a mapping that is here, and drops the others in silence."""

    def __getitem__(self, name: str) -> Any:
        if name == ROOT_OBJECT and ROOT_OBJECT in self:
            raise BadRequest(
                "Tickets that are saved in bulk, by bulk_insert_mappings or insert(), have no root_object. Flush the "
                "root, and give its external id: root_id=aw.external_id(root)."
            )
        return super().__getitem__(name)


class TicketMapper(Mapper[Any]):
    """The mapper of a ticket class. It refuses a mapping that names `root_object`: nothing would be made of it."""

    inherit_cache = True

    @HasMemoized.memoized_attribute
    def _propkey_to_col(self) -> Any:  # SQLAlchemy forgets it whenever the class is given another attribute
        columns = Mapper._propkey_to_col.fget(self)
        return {table: NotInBulk(found, **{ROOT_OBJECT: None}) for table, found in columns.items()}


def carry_root(mapper: Mapper[Any], name: str) -> None:
    """Let `session.merge(ticket)` bring along the root, as it does with what a relationship leads to."""
    prop = mapper.get_property(name, _configure_mappers=False)
    prop.__class__ = type("RootIdProperty", (type(prop),), {"__slots__": (), "inherit_cache": True, "merge": _merge})


def _merge(
    self: Any, session: Session, source: Any, source_dict: Any, dest: Any, dest_dict: Any, load: bool, *others: Any
) -> None:
    super(type(self), self).merge(session, source, source_dict, dest, dest_dict, load, *others)
    root = source_dict.get(ROOT)
    if root is not None:
        dest_dict[ROOT] = root if object_session(root) is session else session.merge(root, load=load)


@event.listens_for(Session, "before_flush")
def complete(session: Session, flush: object, instances: object) -> None:
    """Check and complete the tickets that a flush is about to save, and bring their new roots along."""
    session.info.pop(WITHOUT_ROOT_ID, None)  # what a flush that failed has left
    for ticket in _tickets(session._new.values()):  # session.new would copy what may be large
        contract = contract_of(type(ticket))
        check_row(ticket, contract)
        forget_not_saved(ticket, contract)
        _bring_along(vars(ticket).get(ROOT), session)


def _tickets(states: Iterable[Any]) -> list[Any]:
    return [obj for obj in states if is_ticket_class(type(obj))]


def forget_not_saved(ticket: object, contract: Contract) -> None:
    """Let a RootId that is not known be null until it is."""
    if vars(ticket).get(contract.root_id.name) is ROOT_NOT_SAVED:
        setattr(ticket, contract.root_id.name, None)


def check_row(ticket: object, contract: Contract) -> None:
    """Fill in what a new ticket leaves out. Raises `BadRequest` for what can't be meant."""
    keep_name = contract.keep_receipt_minutes.name
    keep = getattr(ticket, keep_name)
    if keep is None:
        setattr(ticket, keep_name, DEFAULT_KEEP_MINUTES)
    elif not 0 <= keep <= MOST_KEEP_MINUTES:
        raise BadRequest(
            f"A ticket's {keep_name} is {keep}. It must be 0 or more minutes, at most {MOST_KEEP_MINUTES:,}."
        )
    for attribute in (contract.execute_earliest, contract.not_after):
        moment = None if attribute is None else vars(ticket).get(attribute.name)
        if attribute is not None and moment is not None:
            _check_moment(moment, attribute)


def _check_moment(moment: object, attribute: ContractAttribute) -> None:
    if not isinstance(moment, datetime):
        raise BadRequest(f"A ticket's {attribute.name} is {shown(moment)}, not a datetime.")
    if isinstance(attribute.column.type, UtcDateTime):
        aware(moment)


def resolve_root(mapper: Mapper[Any], connection: object, ticket: Any) -> None:
    """Give a ticket the external id of its root, or note that the root's key comes later in this flush."""
    root = vars(ticket).get(ROOT)
    attribute = contract_of(type(ticket)).root_id.name
    if root is None or (vars(ticket).get(attribute) and not _has_its_key(root)):
        return
    text = external_id_or_none(root)
    if text is not None:
        if getattr(ticket, attribute) != text:
            setattr(ticket, attribute, text)
        return
    session = object_session(ticket)
    assert session is not None  # it is being flushed by one
    session.info.setdefault(WITHOUT_ROOT_ID, []).append(ticket)


def resolve_changed_root(mapper: Mapper[Any], connection: object, ticket: Any) -> None:
    """The same for a ticket that was saved before: only if it has been given another root since, that had no key. What
    has become of a root that it was saved with doesn't matter any more."""
    contract = contract_of(type(ticket))
    if vars(ticket).get(contract.root_id.name, "") in (None, ROOT_NOT_SAVED):
        forget_not_saved(ticket, contract)
        resolve_root(mapper, connection, ticket)


def _has_its_key(root: object) -> bool:
    """Return whether an object's key is known without asking the database, which may not have it any more."""
    mapper: Mapper[Any] = inspect(root).mapper
    return all(mapper.get_property_by_column(column).key in vars(root) for column in mapper.primary_key)


@event.listens_for(Session, "after_flush")
def resolve_late_roots(session: Session, flush: object) -> None:
    """Give their RootId to tickets that were saved before their roots, in the same transaction, by one statement."""
    by_class: dict[type, list[Any]] = {}
    for ticket in session.info.pop(WITHOUT_ROOT_ID, ()):
        by_class.setdefault(type(ticket), []).append(ticket)
    for cls, tickets in by_class.items():
        contract = contract_of(cls)
        rows = []
        for ticket in tickets:
            text = _late_root_id(vars(ticket)[ROOT])
            set_committed_value(ticket, contract.root_id.name, text)
            rows.append({contract.key.name: getattr(ticket, contract.key.name), contract.root_id.name: text})
        session.execute(update(cls), rows)


def _late_root_id(root: object) -> str:
    text = external_id_or_none(root)
    if text is None:
        raise BadRequest(
            f"The root of a ticket, a new {type(root).__name__}, was not saved together with it: it is in another "
            "session, or not among the objects that were to be flushed. Flush it first."
        )
    return text

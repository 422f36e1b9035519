"""The ticket: one row of a class named SysAsyncTicket, saved with the data that it is about."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    FetchedValue,
    Integer,
    MetaData,
    Text,
    func,
    inspect,
)
from sqlalchemy.orm import Mapped, Mapper, Session, mapped_column, object_session, registry

from afterwork.model.contract import CLASS_NAME, DEFAULT_KEEP_MINUTES, Contract
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.settings import Settings

ROOT = "_afterwork_root"
"""The entry of a ticket's `__dict__` that holds its root."""

OWN = ("__init__", "__eq__", "__hash__")
"""The methods that a ticket has from its mixin, whatever its base makes of its classes."""

ARGUMENTS = "_afterwork_arguments"
"""The entry of a ticket's `__dict__` that holds its arguments until the keys of all objects among them are known."""

WAIT = "_afterwork_wait"
"""The entry of a ticket's `__dict__` that holds what it waits for, until both are saved."""

IN_FLOWS = "afterwork.flows"
"""The entry in a session's `info` that lists tickets of the flush that goes on, which wait for others."""

ROOT_OBJECT = "root_object"
CONTRACT = "afterwork.contract"

LIMIT = "afterwork.arguments_limit"
"""The entry of a metadata's `info` that has the limit of its application's settings."""

DEFAULT_LIMIT = Settings().arguments_limit


class RootObject:
    """The transient association of a ticket: any mapped object. Only its external id is stored, as RootId."""

    def __get__(self, ticket: object | None, owner: type) -> Any:
        return self if ticket is None else vars(ticket).get(ROOT)

    def __set__(self, ticket: object, root: object | None) -> None:
        from afterwork.model.external_id import external_id_or_none  # it knows the keys of all databases

        vars(ticket)[ROOT] = root
        bring_along(root, object_session(ticket))
        attribute = contract_of(type(ticket)).root_id.name
        setattr(ticket, attribute, None if root is None else external_id_or_none(root) or ROOT_NOT_SAVED)


class RootNotSaved:
    """The RootId of a ticket whose root has no key yet, until the flush that saves both.

    The driver refuses it. So a ticket saved without that flush, as by `bulk_save_objects`, fails: it could have no
    RootId.
    """

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "(the ticket's root is not saved yet: flush it first, or save the ticket by session.add)"

    def __reduce__(self) -> str:
        return "ROOT_NOT_SAVED"  # pickles and copies of a ticket refer to the only instance


ROOT_NOT_SAVED: Any = RootNotSaved()


def bring_along(root: object | None, session: Session | None) -> None:
    """Add the root of a ticket to the ticket's session, as a relationship would, unless it already is in one."""
    if root is not None and session is not None and object_session(root) is None:
        session.add(root)


class AsyncTicket:
    """The ready-made ticket. Derive from it and from your base: `class SysAsyncTicket(aw.AsyncTicket, Base): ...`.

    Its constructor takes the attributes below by name. All timestamps are aware and in UTC.
    """

    __tablename__: Any = "sys_async_ticket"
    # Keys that come back after a receipt was deleted would name two different pieces of work.
    __table_args__: Any = {"sqlite_autoincrement": True}
    # Python fills in what the database would. To fetch it would cost an eighth of saving a ticket.
    __mapper_args__: Any = {"eager_defaults": False}

    def __init__(self, **values: Any) -> None:
        super().__init__()
        for name, value in values.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{name!r} is no attribute of {type(self).__name__}.")
            setattr(self, name, value)

    def __init_subclass__(cls, **options: Any) -> None:
        for name in OWN:
            if name not in vars(cls):
                setattr(cls, name, getattr(cls, name))  # a dataclass leaves alone what its class has itself
        super().__init_subclass__(**options)

    # Those of SQLModel know only pydantic's fields, and give no hash.
    __setattr__ = object.__setattr__
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    """The key. No key comes back after its receipt was deleted."""

    view_model: Mapped[str | None] = mapped_column(Text)
    """The name of a view model, of a method as `Class.method`, or of a machine's event."""

    root_id: Mapped[str | None] = mapped_column(Text)
    """The external id of the root, `Customer!42`. Set by `root_object`; by hand only in statements."""

    execute_earliest: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """It is not run before this. None: as soon as possible."""

    keep_receipt_minutes: Mapped[int] = mapped_column(
        Integer, nullable=False, default=DEFAULT_KEEP_MINUTES, server_default=str(DEFAULT_KEEP_MINUTES)
    )
    """The minutes for which the receipt stays after the end."""

    done: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The time of its end, good or bad. The server sets it."""

    delete_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The time from which on the receipt may be deleted. The server sets it."""

    error: Mapped[str | None] = mapped_column(Text)
    """The reason why it could not be done; None if it was. The server sets it."""

    priority: Mapped[int | None] = mapped_column(Integer)
    """1 runs before 2, None last."""

    lane: Mapped[str | None] = mapped_column(Text)
    """The lane in which it runs alone. None: `main`."""

    attempts: Mapped[int] = mapped_column(Integer, nullable=False, default=0, server_default="0")
    """The number of attempts that have failed so far."""

    created: Mapped[datetime] = mapped_column(
        UtcDateTime, nullable=False, default=lambda: datetime.now(UTC), server_default=func.now()
    )
    """The time at which it was made, by the clock of whoever made it."""

    # Deferred, so that most statements leave it out and the table of an earlier version, which lacks it, still serves.
    not_after: Mapped[datetime | None] = mapped_column(UtcDateTime, server_default=FetchedValue(), deferred=True)
    """It ends with an Error, and is not run, if its turn comes later than this. None: whenever."""

    arguments: Mapped[str | None] = mapped_column(Text, server_default=FetchedValue(), deferred=True)
    """The arguments of the method, or the variables of the view model, as JSON. `aw.later` writes them."""

    result: Mapped[str | None] = mapped_column(Text, server_default=FetchedValue(), deferred=True)
    """The value that its work has returned, as JSON; None if it returned nothing. `aw.wait` reads it."""

    root_object = RootObject()


# They are for type checkers. SQLModel and MappedAsDataclass would make fields of them.
AsyncTicket.__annotations__ = {}


def contract_of(cls: type) -> Contract:
    """Return the contract of a ticket class, which is matched once. Raises `ModelError` with all that is missing."""
    mapper: Mapper[Any] = inspect(cls)
    info = mapper.local_table.metadata.info  # type: ignore[attr-defined]
    contract = info.get(CONTRACT)
    if contract is None or contract.mapper is not mapper:
        contract = info[CONTRACT] = Contract.of(mapper)
    return contract  # type: ignore[no-any-return]


def ticket_contract(obj: object) -> Contract | None:
    """Return the contract of the tickets in the model of `obj`; None if that has no ticket class."""
    mapper: Mapper[Any] = inspect(obj).mapper
    metadata: MetaData = mapper.local_table.metadata  # type: ignore[attr-defined]
    return metadata.info.get(CONTRACT) if CONTRACT in metadata.info else contract_in(mapper.registry)


def contract_in(model: registry) -> Contract | None:
    """Return the contract of the tickets of a model; None if it has no ticket class."""
    return next((contract_of(mapper.class_) for mapper in model.mappers if is_ticket_class(mapper.class_)), None)


def limit_of_arguments(contract: Contract) -> int:
    """Return how many bytes the arguments of a ticket may have, as the settings of its model's application say."""
    return int(contract.table.metadata.info.get(LIMIT, DEFAULT_LIMIT))


def is_ticket_class(cls: type) -> bool:
    """Return whether a mapped class is a model's ticket class, which its name alone decides."""
    return cls.__name__ == CLASS_NAME

"""The arguments of tickets: written into their rows as soon as all objects among them have their keys."""

import json
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import object_session

from afterwork.errors import BadArguments, BadRequest, shown
from afterwork.model.arguments.parameters import Arguments
from afterwork.model.contract import CLASS_NAME, Contract, ContractAttribute
from afterwork.model.ticket import ARGUMENTS, bring_along, limit_of_arguments

HOW_TO_KEEP_ARGUMENTS = f"Add it to {CLASS_NAME}: arguments: Mapped[str | None] = mapped_column(Text)"


def check(arguments: Arguments, contract: Contract) -> ContractAttribute:
    """Return the attribute that keeps arguments. Raises `BadRequest` if the ticket class has none, and `BadArguments`
    for more bytes than the application's settings allow."""
    attribute = _attribute(contract)
    limit, size = limit_of_arguments(contract), len(arguments.described())
    if size > limit:
        raise BadArguments(
            f"{arguments.parameters.name}: its arguments take {size:,} bytes, and a ticket keeps {limit:,} at most "
            "(Settings.arguments_limit). Save what is large in a row, and give that object."
        )
    return attribute


def give(ticket: Any, contract: Contract, arguments: Arguments) -> None:
    """Let a ticket that is not saved yet have arguments. Raises `BadRequest` if its class can't keep them."""
    attribute = check(arguments, contract)
    if arguments.is_complete:
        setattr(ticket, attribute.name, stored(attribute, arguments))
    else:
        vars(ticket)[ARGUMENTS] = arguments


def _attribute(contract: Contract) -> ContractAttribute:
    if contract.arguments is None:
        raise BadRequest(f"Arguments were given, but {CLASS_NAME} has no attribute arguments. {HOW_TO_KEEP_ARGUMENTS}")
    return contract.arguments


def stored(attribute: ContractAttribute, arguments: Arguments) -> Any:
    """Return arguments as the attribute of a ticket class keeps them: as text, or as JSON."""
    text = arguments.text()
    return json.loads(text) if isinstance(attribute.column.type, JSON) else text


def complete(ticket: Any, contract: Contract) -> None:
    """Check the arguments of a ticket about to be inserted, and add new objects among them to its session.

    Raises `BadRequest`.
    """
    arguments, session = vars(ticket).get(ARGUMENTS), object_session(ticket)
    for obj in arguments.objects if arguments is not None else ():
        bring_along(obj, session)
    attribute = contract.arguments
    by_hand = None if attribute is None else vars(ticket).get(attribute.name)
    if attribute is None or by_hand is None or isinstance(attribute.column.type, JSON):
        return
    if not isinstance(by_hand, str):
        raise BadRequest(
            f"A ticket's {attribute.name} is {shown(by_hand)}. It is JSON, as a text. Ask with "
            "aw.later(order.refund.given(…)), or take order.refund.given(…).text."
        )


def resolve(ticket: Any, contract: Contract) -> bool:
    """Write the arguments of a ticket about to be inserted, or return False if some objects have no key yet."""
    arguments = vars(ticket).get(ARGUMENTS)
    if arguments is None:
        return True
    if arguments.is_complete:
        attribute = _attribute(contract)
        setattr(ticket, attribute.name, stored(attribute, arguments))
        del vars(ticket)[ARGUMENTS]
        return True
    return False


def late(ticket: Any, contract: Contract) -> dict[str, Any]:
    """Return what is to be written for a ticket that was inserted before its arguments were known, by attribute.

    Raises `BadArguments` if an object is still not saved.
    """
    arguments = vars(ticket).pop(ARGUMENTS, None)
    if arguments is None:
        return {}
    attribute = _attribute(contract)
    return {attribute.name: stored(attribute, arguments)}

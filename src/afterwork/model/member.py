"""The member that a question about an object means: its name, or the attribute of its class, `Customer.total`."""

from typing import Any, TypeVar

from sqlalchemy.orm import QueryableAttribute

from afterwork.errors import BadRequest, shown

Value = TypeVar("Value")

MemberOrName = str | QueryableAttribute[Value]


def name_of_member(obj: object, member: MemberOrName[Any]) -> str:
    """Return the name of a member. Raises `BadRequest` for an attribute of another class, and for what is neither."""
    if isinstance(member, str):
        return member
    if not isinstance(member, QueryableAttribute):
        raise BadRequest(f'{shown(member)} names no member. Give its name, "total", or the attribute, Customer.total.')
    if not isinstance(obj, member.parent.mapper.class_):
        raise BadRequest(f"{member} is no member of {type(obj).__name__}, which is the class of the object.")
    return member.key

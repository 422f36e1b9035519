"""A class with unusual members: a set, JSON, an enumeration of texts, a computed column, a dynamic loader."""

from typing import Any

from sqlalchemy import JSON, Enum, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

from afterwork.language.typed.names import Names


class NodeBase(DeclarativeBase): ...


class Node(NodeBase):
    __tablename__ = "node"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    color: Mapped[str] = mapped_column(Enum("red", "blue"), default="red")
    extra: Mapped[Any] = mapped_column(JSON, default=dict)
    fooBar: Mapped[int] = mapped_column(default=1)
    foo_bar: Mapped[int] = mapped_column(default=2)
    twice: Mapped[int] = column_property(fooBar * 2)
    children: Mapped[set["Node"]] = relationship(back_populates="parent")
    parent: Mapped["Node | None"] = relationship(back_populates="children", remote_side=[id])
    asked: Mapped[list["Node"]] = relationship(lazy="dynamic", viewonly=True)


NODE_NAMES = Names.of(NodeBase)

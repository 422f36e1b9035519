"""Calculated members five levels deep: diamonds, links of each kind, queries, a moment, derived objects and a tree."""

from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Column, ForeignKey, Integer, Table, Text, and_, case, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""The hour 0 of this world's clock."""


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class _Pause:
    """A place within calculations at which a test may do something, as others do while a server calculates."""

    def __init__(self) -> None:
        self.then: Callable[[], None] | None = None

    def __call__(self) -> None:
        if self.then is not None:
            Context().run(self.then)  # nobody records there what is read


pause = _Pause()

item_tag = Table(
    "item_tag",
    Base.metadata,
    Column("item_id", ForeignKey("item.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id", ondelete="CASCADE"), primary_key=True),
)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text)
    weight: Mapped[int] = mapped_column(default=0)
    note: Mapped[int] = mapped_column(default=0)


class Part(Base):
    __tablename__ = "part"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"))
    count: Mapped[int] = mapped_column(default=0)
    price: Mapped[int] = mapped_column(default=0)
    note: Mapped[int] = mapped_column(default=0)
    item: Mapped["Item | None"] = relationship(back_populates="parts")


class Item(Base):
    """The first levels: of parts, of tags, and of a moment."""

    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id", ondelete="SET NULL"))
    active: Mapped[bool] = mapped_column(default=True)
    amount: Mapped[int] = mapped_column(default=0)
    due: Mapped[int | None]
    note: Mapped[int] = mapped_column(default=0)
    goods: Mapped[int] = mapped_column(default=0)
    worth: Mapped[int] = mapped_column(default=0)
    names: Mapped[str] = mapped_column(Text, default="")
    overdue: Mapped[bool] = mapped_column(default=False)
    bulk: Mapped[str] = mapped_column(Text, default="")
    caption: Mapped[str] = mapped_column(Text, default="")
    group: Mapped["Group | None"] = relationship(back_populates="items")
    parts: Mapped[list[Part]] = relationship(back_populates="item", order_by=Part.id, passive_deletes=True)
    tags: Mapped[list[Tag]] = relationship(secondary=item_tag, order_by=Tag.id, passive_deletes=True)
    large_parts: Mapped[list[Part]] = relationship(
        primaryjoin=lambda: and_(Item.id == Part.item_id, Part.count > 2), order_by=Part.id, viewonly=True
    )

    @aw.derived(goods)
    def compute_goods(self) -> int:
        pause()
        return self.amount + sum(part.count * part.price for part in self.parts)

    @compute_goods.expression
    def _goods_in_sql(cls: Any) -> Any:
        parts = select(func.coalesce(func.sum(Part.count * Part.price), 0)).where(Part.item_id == cls.id)
        return cls.amount + parts.scalar_subquery()

    @aw.derived(worth)
    def compute_worth(self) -> int:
        """What it reads depends on what it has read: tags count for active items only."""
        worth = self.goods
        pause()
        return worth + sum(tag.weight for tag in self.tags) if self.active else worth

    @aw.derived(names)
    def compute_names(self) -> str:
        return ",".join(tag.name for tag in self.tags)

    @aw.derived(overdue)
    def compute_overdue(self) -> bool:
        return self.due is not None and aw.passed(EPOCH + timedelta(hours=self.due))

    @aw.derived(bulk)
    def compute_bulk(self) -> str:
        """By a relationship with a condition of its own."""
        return ",".join(f"{part.id}:{part.count}" for part in self.large_parts)

    @aw.derived(caption)
    def compute_caption(self) -> str:
        """Of what an object remembers that several items share."""
        return "" if self.group is None else f"{self.group.heading} {self.id}"


class Group(Base):
    """The levels above: `share` and `title` close diamonds, `stats` asks queries."""

    __tablename__ = "groups"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text)
    note: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    late: Mapped[int] = mapped_column(default=0)
    wares: Mapped[int] = mapped_column(default=0, server_default="0")
    share: Mapped[int] = mapped_column(default=0)
    stats: Mapped[str] = mapped_column(Text, default="")
    stock: Mapped[str] = mapped_column(Text, default="")
    title: Mapped[str] = mapped_column(Text, default="")
    items: Mapped[list[Item]] = relationship(back_populates="group", order_by=Item.id)
    parts: Mapped[list[Part]] = relationship(
        secondary="item",
        primaryjoin="Group.id == Item.group_id",
        secondaryjoin="Item.id == Part.item_id",
        order_by="Part.id",
        viewonly=True,
    )
    badges: Mapped[list["Badge"]] = relationship(
        cascade="all, delete-orphan", order_by="Badge.id", passive_deletes=True
    )

    @cached_property
    def heading(self) -> str:
        return self.name.upper()

    @aw.derived(total)
    def compute_total(self) -> int:
        pause()
        return sum(item.worth for item in self.items if item.active)

    @aw.derived(late)
    def compute_late(self) -> int:
        return sum(item.overdue for item in self.items)

    @compute_late.expression
    def _late_in_sql(cls: Any) -> Any:
        late = select(func.coalesce(func.sum(case((Item.overdue, 1), else_=0)), 0)).where(Item.group_id == cls.id)
        return late.scalar_subquery()

    @aw.derived(wares)
    def compute_wares(self) -> int:
        return sum(item.goods for item in self.items if item.active)

    @compute_wares.expression
    def _wares_in_sql(cls: Any) -> Any:
        """Made of what another expression makes. `late` can't be turned round, since Python makes what it reads."""
        goods = select(func.coalesce(func.sum(Item.goods), 0)).where(Item.group_id == cls.id, Item.active)
        return goods.scalar_subquery()

    @aw.derived(share)
    def compute_share(self) -> int:
        most = max((item.worth for item in self.items), default=0)
        return most * 100 // self.total if self.total else 0

    @aw.derived(stats)
    def compute_stats(self) -> str:
        session = aw.session(self)
        count = session.scalar(
            select(func.count()).select_from(Item).where(Item.group_id == self.id, Item.active.is_(True))
        )
        most = session.scalar(select(func.max(Item.amount)).where(Item.group_id == self.id))
        return f"{count}/{most}"

    @aw.derived(stock)
    def compute_stock(self) -> str:
        """Through a table between that is mapped, too."""
        return ",".join(f"{part.id}:{part.price}" for part in self.parts)

    @aw.derived(title)
    def compute_title(self) -> str:
        return f"{self.name} {self.total} {self.late} {self.share} {self.stats}"


class Badge(Base):
    """What groups get that are worth much."""

    __tablename__ = "badge"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))


def badges_for(total: int) -> int:
    """How many badges a group with this total has."""
    return max(0, min(3, total // 10))


class Badging(aw.ViewModel[Group]):
    """A group has one badge for each ten of its total."""

    when = aw.WhenStale()

    @aw.action
    def badge(self) -> None:
        wanted = badges_for(self.root.total)
        while len(self.root.badges) < wanted:
            self.root.badges.append(Badge())
        while len(self.root.badges) > wanted:
            self.root.badges.pop()


class Node(Base):
    """A tree: totals are made of those below, levels of those above, and marks of both."""

    __tablename__ = "node"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("node.id", ondelete="SET NULL"))
    own: Mapped[int] = mapped_column(default=0)
    note: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    level: Mapped[int] = mapped_column(default=0)
    mark: Mapped[int] = mapped_column(default=0)
    parent: Mapped["Node | None"] = relationship(back_populates="children", remote_side=id)
    children: Mapped[list["Node"]] = relationship(back_populates="parent", order_by="Node.id")

    @aw.derived(total)
    def compute_total(self) -> int:
        pause()
        return self.own + sum(child.total for child in self.children)

    @aw.derived(level)
    def compute_level(self) -> int:
        return 0 if self.parent is None else self.parent.level + 1

    @aw.derived(mark)
    def compute_mark(self) -> int:
        return 100 * self.level + self.total


class Noise(Base):
    """Nobody reads it."""

    __tablename__ = "noise"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item_id: Mapped[int | None]
    text: Mapped[str] = mapped_column(Text, default="")

"""Values beside each other that can and can't be kept right in sets, with the reason why not."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Float, ForeignKey, TypeDecorator, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Cents(TypeDecorator[int]):
    impl = Float
    cache_ok = True


class Shelf(Base):
    __tablename__ = "shelf"

    id: Mapped[int] = mapped_column(primary_key=True)
    boxes: Mapped[list["Box"]] = relationship(back_populates="shelf")
    weight: Mapped[int] = mapped_column(default=0, server_default="0")
    heaviest: Mapped[int] = mapped_column(default=0, server_default="0")
    first: Mapped[int] = mapped_column(default=0, server_default="0")
    near: Mapped[int] = mapped_column(default=0, server_default="0")
    rank: Mapped[int] = mapped_column(default=0, server_default="0")
    slow: Mapped[int] = mapped_column(default=0, server_default="0")
    price: Mapped[int | None] = mapped_column(Cents)
    marked: Mapped[int] = mapped_column(default=0, server_default="0")
    above: Mapped[int] = mapped_column(default=0, server_default="0")
    said: Mapped[int] = mapped_column(default=0, server_default="0")

    @aw.derived(weight)
    def compute_weight(self) -> int:
        return sum(box.weight for box in self.boxes)

    @compute_weight.expression
    def _weight(cls: Any) -> Any:
        return select(func.coalesce(func.sum(Box.weight), 0)).where(Box.shelf_id == cls.id).scalar_subquery()

    @aw.derived(heaviest)
    def compute_heaviest(self) -> int:
        """Made in Python of what Python makes, and of what an expression makes."""
        return max((box.doubled for box in self.boxes), default=0) + self.weight

    @aw.derived(first)
    def compute_first(self) -> int:
        return min((box.id for box in self.boxes), default=0)

    @compute_first.expression
    def _first(cls: Any) -> Any:
        boxes = select(Box.id).where(Box.shelf_id == cls.id).order_by(Box.id).limit(1)
        return func.coalesce(boxes.scalar_subquery(), 0)

    @aw.derived(near)
    def compute_near(self) -> int:
        return aw.session(self).scalars(select(func.count(Box.id)).where(Box.shelf_id > self.id)).one()

    @compute_near.expression
    def _near(cls: Any) -> Any:
        return select(func.count(Box.id)).where(Box.shelf_id > cls.id).scalar_subquery()

    @aw.derived(rank)
    def compute_rank(self) -> int:
        weights = [box.weight for box in self.boxes]
        return 1 + sum(weight < max(weights) for weight in weights) if weights else 0

    @compute_rank.expression
    def _rank(cls: Any) -> Any:
        ranked = select(func.rank().over(order_by=Box.weight).label("rank")).where(Box.shelf_id == cls.id).subquery()
        return select(func.coalesce(func.max(ranked.c.rank), 0)).scalar_subquery()

    @aw.derived(slow, allow_oldness=timedelta(minutes=5))
    def compute_slow(self) -> int:
        return len(self.boxes)

    @compute_slow.expression
    def _slow(cls: Any) -> Any:
        return select(func.count(Box.id)).where(Box.shelf_id == cls.id).scalar_subquery()

    @aw.derived(price)
    def compute_price(self) -> int | None:
        return sum(box.weight for box in self.boxes) if self.boxes else None

    @compute_price.expression
    def _price(cls: Any) -> Any:
        return select(func.sum(Box.weight)).where(Box.shelf_id == cls.id).scalar_subquery()

    @aw.derived(marked)
    def compute_marked(self) -> int:
        return sum(box.doubled for box in self.boxes)

    @compute_marked.expression
    def _marked(cls: Any) -> Any:
        return select(func.coalesce(func.sum(Box.doubled), 0)).where(Box.shelf_id == cls.id).scalar_subquery()

    @aw.derived(above)
    def compute_above(self) -> int:
        return self.marked + 1

    @compute_above.expression
    def _above(cls: Any) -> Any:
        return cls.marked + 1

    @aw.derived(said)
    def compute_said(self) -> int:
        return self.id


class Box(Base):
    __tablename__ = "box"

    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelf.id"), index=True)
    weight: Mapped[int] = mapped_column(default=0)
    doubled: Mapped[int] = mapped_column(default=0, server_default="0")
    shelf: Mapped[Shelf | None] = relationship(back_populates="boxes")

    @aw.derived(doubled)
    def compute_doubled(self) -> int:
        return 2 * self.weight


WHY_NOT = {
    "Shelf.first": "it has a LIMIT",
    "Shelf.near": "no equality leads",
    "Shelf.rank": "it has a window function",
    "Shelf.slow": "it may be old for a while",
    "Shelf.price": "which converts what it is given",
    "Shelf.marked": "it reads Box.doubled, which is not refreshed in sets itself",
    "Shelf.above": "it reads Shelf.marked, which is not refreshed in sets itself",
}
"""The reasons, in part, why expressions are not refreshed in sets."""

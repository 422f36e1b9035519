"""A workshop: values in sets of particular kinds, and values that can't go in sets because of what they belong to."""

from typing import Any

from sqlalchemy import ForeignKey, Numeric, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column, relationship

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Bench(Base):
    __tablename__ = "bench"
    id: Mapped[int] = mapped_column(primary_key=True)
    tools: Mapped[list["Tool"]] = relationship()
    by_ocl: Mapped[int] = mapped_column(default=0, server_default="0")
    even: Mapped[int] = mapped_column(default=0, server_default="0")
    doubled: Mapped[int] = mapped_column(default=0, server_default="0")
    wrong: Mapped[int] = mapped_column(default=0, server_default="0")
    alone: Mapped[int] = mapped_column(default=0, server_default="0")

    compute_by_ocl = aw.derived(by_ocl)(aw.ocl("self.tools.weight->sum"))

    @aw.derived(even)
    def compute_even(self) -> int:
        return sum(tool.weight for tool in self.tools if tool.weight % 2 == 0)

    @compute_even.expression
    def _even(cls: Any) -> Any:
        """With a condition that no route follows, since arithmetic may fail."""
        return _weight(cls).where(Tool.weight % 2 == 0).scalar_subquery()

    @aw.derived(doubled)
    def compute_doubled(self) -> int:
        return 2 * self.even

    @compute_doubled.expression
    def _doubled(cls: Any) -> Any:
        return 2 * cls.even

    @aw.derived(wrong)
    def compute_wrong(self) -> int:
        """Says something else than its expression."""
        return 1 + sum(tool.weight for tool in self.tools)

    @compute_wrong.expression
    def _wrong(cls: Any) -> Any:
        return _weight(cls).scalar_subquery()

    @aw.derived(alone)
    def compute_alone(self) -> int:
        raise NotImplementedError

    @compute_alone.expression
    def _alone(cls: Any) -> Any:
        return _weight(cls).scalar_subquery()


class Tool(Base):
    __tablename__ = "tool"
    id: Mapped[int] = mapped_column(primary_key=True)
    bench_id: Mapped[int | None] = mapped_column(ForeignKey("bench.id"), index=True)
    weight: Mapped[int] = mapped_column(default=0)


def _weight(cls: Any) -> Any:
    return select(func.coalesce(func.sum(Tool.weight), 0)).where(Tool.bench_id == cls.id)


class Step(Base):
    """A chain of rows that are made of each other."""

    __tablename__ = "step"
    id: Mapped[int] = mapped_column(primary_key=True)
    before_id: Mapped[int | None] = mapped_column(index=True)
    length: Mapped[int] = mapped_column(default=1, server_default="1")

    @aw.derived(length)
    def compute_length(self) -> int:
        raise NotImplementedError

    @compute_length.expression
    def _length(cls: Any) -> Any:
        before = aliased(Step)
        return 1 + func.coalesce(select(before.length).where(before.id == cls.before_id).scalar_subquery(), 0)


class Person(Base):
    __tablename__ = "person"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    shared: Mapped[int] = mapped_column(default=0, server_default="0")

    @aw.derived(shared)
    def compute_shared(self) -> int:
        return self.id

    @compute_shared.expression
    def _shared(cls: Any) -> Any:
        return cls.id + 0


class Smith(Person):
    __mapper_args__ = {"polymorphic_identity": "smith"}


class Scale(Base):
    """Its key may be written in more than one way."""

    __tablename__ = "scale"
    id: Mapped[float] = mapped_column(Numeric(10, 2), primary_key=True)
    size: Mapped[int] = mapped_column(default=0, server_default="0")

    @aw.derived(size)
    def compute_size(self) -> int:
        return 1

    @compute_size.expression
    def _size(cls: Any) -> Any:
        return select(func.count(Tool.id)).where(Tool.weight == cls.size).scalar_subquery()


WHY_NOT = {
    "Step.length": "it is made from itself, on other objects",
    "Person.shared": "shares its table",
    "Scale.size": "of a type that Python may write in another way",
}
"""The reasons, in part, why the others are not refreshed in sets."""

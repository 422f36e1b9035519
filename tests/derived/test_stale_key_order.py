"""A table of a subclass may have the parts of its key under other names and in another order than the class above."""

import pytest
from sqlalchemy import Engine, ForeignKeyConstraint, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from tests.support.prepared import installed


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Seat(Base):
    __tablename__ = "seat"
    row: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    price: Mapped[int]
    total: Mapped[int | None] = mapped_column()
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "seat"}

    @aw.derived(total)
    def compute_total(self) -> int:
        return self.price


class Box(Seat):
    __tablename__ = "box"
    its_place: Mapped[int] = mapped_column(primary_key=True)
    its_row: Mapped[int] = mapped_column(primary_key=True)
    chairs: Mapped[int]
    each: Mapped[int | None] = mapped_column()
    __table_args__ = (ForeignKeyConstraint(["its_row", "its_place"], ["seat.row", "seat.place"]),)
    __mapper_args__ = {"polymorphic_identity": "box"}

    def compute_total(self) -> int:
        return self.price * self.chairs

    @aw.derived(each)
    def compute_each(self) -> int:
        return self.price * 100 + self.chairs


CHANGES = {
    "the table above": ["UPDATE seat SET price = price + place"],
    "the table below": ["UPDATE box SET chairs = chairs + its_row"],
    "one of them": ["UPDATE box SET chairs = 9 WHERE its_row = 1 AND its_place = 2"],
    "the values": ["UPDATE box SET each = 0", "UPDATE seat SET total = 0"],
    "the class": ["UPDATE seat SET kind = 'box'", "INSERT INTO box (its_row, its_place, chairs) VALUES (3, 1, 4)"],
    "the class back": ["DELETE FROM box WHERE its_row = 2", "UPDATE seat SET kind = 'seat' WHERE seat.row = 2"],
}


@pytest.mark.parametrize("changed", CHANGES)
def test_values_stand_in_the_rows_that_they_are_of(engine: Engine, changed: str) -> None:
    app = installed(engine, Base)
    with Session(engine) as session, session.begin():
        session.add(Seat(row=3, place=1, price=5))
        session.add_all(Box(row=row, place=place, price=row, chairs=place) for row, place in ((1, 2), (2, 1), (2, 2)))
    app.run_until_idle(engine)
    for statement in CHANGES[changed]:
        with engine.begin() as connection:
            connection.execute(text(statement))
    app.run_until_idle(engine)
    with Session(engine) as session:
        seats = session.scalars(select(Seat)).all()
        assert [seat.total for seat in seats] == [seat.compute_total() for seat in seats]
        boxes = [seat for seat in seats if isinstance(seat, Box)]
        assert boxes
        assert [box.each for box in boxes] == [box.compute_each() for box in boxes]

"""A cache that failed before its function was ever called is explained without runs that there were none of."""

from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Note(Base):
    __tablename__ = "note"
    id: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int | None] = mapped_column()

    @aw.derived(size)
    def compute_size(self) -> int:
        return len(self.id)


def test_a_cache_that_could_not_run_is_not_said_to_have_run(engine: Engine) -> None:
    app = aw.Afterwork(Base)
    Base.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        session.add(Note(id="x" * 2000))
    app.run_until_idle(engine)

    with Session(engine) as session:
        said = str(app.explain(session.get_one(Note, "x" * 2000), "size"))

    assert " is failed." in said
    assert "It failed: A row of note has the key 'xxx" in said
    assert "It has run" not in said
    assert "None" not in said

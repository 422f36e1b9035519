"""Values in sets of objects whose keys have no external id are right like all others, and shown by placeholders."""

import pytest
from sqlalchemy import Engine, ForeignKey, String, Text, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw
from tests.support.prepared import installed

LONG = "k" * 1_200


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Folder(Base):
    __tablename__ = "folder"
    path: Mapped[str] = mapped_column(String(1_500), primary_key=True)
    size: Mapped[int | None] = mapped_column()
    share: Mapped[int | None] = mapped_column()
    label: Mapped[str | None] = mapped_column(Text)
    files: Mapped[list["File"]] = relationship(back_populates="folder")

    sum_of_files = aw.derived(size)(aw.ocl("self.files.size->sum"))

    @aw.derived(share)
    def compute_share(self) -> int:
        raise NotImplementedError("it is computed by its expression")

    @compute_share.expression
    def share_in_sql(cls: "type[Folder]") -> object:
        sizes = select(func.sum(File.size)).where(File.path == cls.path).scalar_subquery()
        return 100 // (sizes - 13)

    @aw.derived(label)
    def compute_label(self) -> str:
        return f"{self.size} in {len(self.path)}"


class File(Base):
    __tablename__ = "file"
    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(ForeignKey("folder.path"))
    size: Mapped[int] = mapped_column(default=1)
    folder: Mapped[Folder] = relationship(back_populates="files")


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    app = installed(engine, Base)
    with Session(engine) as session, session.begin():
        session.add_all(
            [Folder(path="a", files=[File(size=2)]), Folder(path=LONG, files=[File(size=3)]), Folder(path="z")]
        )
    return app


def sizes(engine: Engine) -> dict[str, int | None]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT path, size FROM folder"))
        return {path[:2]: size for path, size in rows}


def write(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def test_it_is_written_with_all_others(app: aw.Afterwork, engine: Engine) -> None:
    ended = app.run_until_idle(engine)

    assert sizes(engine) == {"a": 2, "kk": 3, "z": 0}
    named = {one.run.root_id for one in ended if one.run.work == "Folder.size"}
    assert {"Folder!a", "Folder!z"} < named
    write(engine, "UPDATE file SET size = size + 5")
    app.run_until_idle(engine)
    assert sizes(engine) == {"a": 7, "kk": 8, "z": 0}


def test_whoever_looks_sees_the_others(app: aw.Afterwork, engine: Engine) -> None:
    app.run_until_idle(engine)
    insight = app.insight(engine)

    (size,) = (one for one in insight.caches() if one.name == "Folder.size")
    assert size.fresh.number == 3
    assert len(insight.caches_of("Folder.size").items) == 3
    verified = app.verify(engine)
    assert (verified.checked["Folder.size"], verified.differences) == (2, [])
    write(engine, "UPDATE file SET size = size + 5")
    assert app.verify(engine).differences == []


def test_one_that_can_not_be_computed_is_set_aside_alone(app: aw.Afterwork, engine: Engine) -> None:
    app.run_until_idle(engine)
    write(engine, "UPDATE file SET size = 13")

    app.run_until_idle(engine)

    assert sizes(engine) == {"a": 13, "kk": 13, "z": 0}
    if engine.dialect.name == "postgresql":  # where a division by zero is no null
        with Session(engine) as session:
            explained = str(app.explain(session.get_one(Folder, LONG), "share"))
        assert "(1,209 characters) is too long: an external id has at most 1,000 characters" in explained
    write(engine, "UPDATE file SET size = 14")
    app.run_until_idle(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM folder WHERE share = 100")).scalar() == 2
        assert app.insight(engine).caches_of("Folder.share", "failed").items == []

"""A model that has a column of a kind in every place, and what is written into it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, Text, create_engine, select, text, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.schema import CreateTable

import afterwork as aw
from tests.properties.values.kinds import Kind
from tests.support.prepared import open_with


def model(kind: Kind) -> Any:
    """A base whose classes have columns of the kind: as a key, as a part of one, as a reference, as what a value is
    made of, as a condition, and as what is calculated. Each row has a number, `n`, by which it can always be found."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Good(Base):
        """It is no part of the trouble."""

        __tablename__ = "good"
        n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        amount: Mapped[int] = mapped_column(default=0)
        said: Mapped[str | None] = mapped_column(Text)

        @aw.derived(said)
        def compute_said(self) -> str:
            return f"good {self.amount}"

    class Holder(Base):
        __tablename__ = "holder"
        n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        value: Mapped[Any] = mapped_column(kind.type(), nullable=True)
        copy: Mapped[Any] = mapped_column(kind.type(), nullable=True)
        said: Mapped[str | None] = mapped_column(Text)

        @aw.derived(said)
        def compute_said(self) -> str:
            return ascii(self.value)

        @aw.derived(copy)
        def compute_copy(self) -> Any:
            return self.value

        if kind.has_equality:
            same: Mapped[str | None] = mapped_column(Text)

            @aw.derived(same)
            def compute_same(self) -> str:
                return str(
                    list(
                        aw.session(self).scalars(select(Holder.n).where(Holder.value == self.value).order_by(Holder.n))
                    )
                )

    Base.classes = [SysAsyncTicket, Good, Holder]
    if not kind.is_key:
        return Base

    class Child(Base):
        __tablename__ = "child"
        n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        root: Mapped[Any] = mapped_column("root_key", kind.type(), nullable=True)
        amount: Mapped[int] = mapped_column(default=0)
        said: Mapped[str | None] = mapped_column(Text)
        parent: Mapped[Any] = relationship("Root", primaryjoin="foreign(Child.root) == Root.key", viewonly=True)

        @aw.derived(said)
        def compute_said(self) -> str:
            return "alone" if self.parent is None else f"of {self.parent.amount}"

    class Root(Base):
        __tablename__ = "root"
        key: Mapped[Any] = mapped_column(kind.type(), primary_key=True, autoincrement=False)
        n: Mapped[int] = mapped_column()
        amount: Mapped[int] = mapped_column(default=0)
        said: Mapped[str | None] = mapped_column(Text)
        total: Mapped[str | None] = mapped_column(Text)
        children: Mapped[list[Child]] = relationship(
            primaryjoin="Root.key == foreign(Child.root)", viewonly=True, order_by=Child.n
        )

        @aw.derived(said)
        def compute_said(self) -> str:
            return f"{self.amount}"

        @aw.derived(total)
        def compute_total(self) -> str:
            return str([child.amount for child in self.children])

    class Pair(Base):
        __tablename__ = "pair"
        left: Mapped[Any] = mapped_column(kind.type(), primary_key=True, autoincrement=False)
        right: Mapped[str] = mapped_column(Text, primary_key=True)
        n: Mapped[int] = mapped_column()
        amount: Mapped[int] = mapped_column(default=0)
        said: Mapped[str | None] = mapped_column(Text)

        @aw.derived(said)
        def compute_said(self) -> str:
            return f"{self.amount}"

    Base.classes += [Child, Root, Pair]  # type: ignore[attr-defined]
    return Base


COLUMNS = {"holder": "value", "child": "root_key", "root": '"key"', "pair": '"left"'}
"""The column of the kind in each table."""

MEMBERS = {"holder": "value", "child": "root", "root": "key", "pair": "left"}
"""The attribute for it."""

Event = tuple[str, str, int]
"""What is done, to which table, and with which value of the kind or to which row."""


def every_value(kind: Kind) -> list[Event]:
    """A history in which each value is written everywhere, and in which all is changed, overwritten, filled anew and
    deleted."""
    tables = tuple(COLUMNS) if kind.is_key else ("holder",)
    each = [(table, number) for table in tables for number in range(len(kind.python) + len(kind.sql))]
    return [
        *(("insert", *value) for value in each),
        ("run", "", 0),
        ("raise amounts", "", 0),
        *(("change", *value) for value in each[::2]),
        ("run", "", 0),
        ("overwrite", "", 0),
        ("run", "", 0),
        *(("delete", *value) for value in each[::3]),
        ("fill", "", 0),
    ]


class World:
    """The model of a kind in one database."""

    def __init__(self, engine: Engine, kind: Kind) -> None:
        self.engine = engine
        # SQLAlchemy takes SQLite's types of other formats for equal, so no other kind's statements may serve this one.
        engine.update_execution_options(compiled_cache={})
        self.kind = kind
        self.base = model(kind)
        self.classes = {cls.__tablename__: cls for cls in self.base.classes[1:]}
        self.clock = aw.ManualClock()
        self.app = aw.Afterwork(self.base, clock=self.clock)
        self.caches = {
            table: [name for name in ("said", "copy", "same", "total") if hasattr(cls, f"compute_{name}")]
            for table, cls in self.classes.items()
        }
        self.last = 0
        """The number of the row that was inserted last."""
        open_with(engine, self.base, lambda _: self._open())

    def _open(self) -> None:
        self._create()
        self.app.install(self.engine)

    def _create(self) -> None:
        for statement in self.kind.before:
            self._execute(statement)
        if self.kind.ddl is not None:
            for table in self.base.metadata.sorted_tables:
                declared = str(CreateTable(table).compile(self.engine))
                for name in (*COLUMNS.values(), "copy"):
                    declared = declared.replace(f"\t{name} TEXT", f"\t{name} {self.kind.ddl}")
                self._execute(declared)
        self.base.metadata.create_all(self.engine)
        for statement in self.kind.after:
            self._execute(statement)

    def _execute(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement.replace("%", "%%"))

    def clear(self) -> None:
        """Be as new, but for a row that is no part of the trouble."""
        for name in (
            *self.classes,
            *(f"afterwork_{name}" for name in ("cache", "due", "manifest", "journal", "recent")),
        ):
            self._execute(f"DELETE FROM {name}")
        self.last = 1
        self._execute("INSERT INTO good (n, amount) VALUES (1, 0)")

    # What happens.

    def do(self, event: Event) -> None:
        """Let something happen. What the database itself refuses, does not."""
        match event:
            case ("insert", table, number) if table in self.classes:
                self.last += 1
                self._insert(table, self.last, number)
            case ("change", table, number) if table in self.classes:
                row, value = self._row(table, number), self._literal(number + 1)
                if row is not None and value is not None:
                    self._try(lambda: self._execute(f"UPDATE {table} SET {COLUMNS[table]} = {value} WHERE n = {row}"))
            case ("delete", table, number) if table in self.classes:
                if (row := self._row(table, number)) is not None:
                    self._execute(f"DELETE FROM {table} WHERE n = {row}")
            case ("raise amounts", _, _):
                for table in self.classes.keys() - {"holder"}:
                    self._execute(f"UPDATE {table} SET amount = amount + 1")
            case ("overwrite", _, _):
                for table in self.classes:
                    self._execute(f"UPDATE {table} SET said = 'what somebody else writes'")
            case ("fill", _, _):
                self.app.repair(self.engine)
            case ("run", _, _):
                self.app.run_until_idle(self.engine)
                self.clock.advance(timedelta(hours=2))  # what has failed is tried again by the next one

    def _insert(self, table: str, n: int, number: int) -> None:
        """By the ORM for the first values of the kind, as another program does for the others."""
        values: list[Any] = [*self.kind.python, *self.kind.sql]
        place = number % len(values)
        if place < len(self.kind.python):
            self._try(lambda: self._save(table, n, values[place]))
            return
        columns, given = [COLUMNS[table]], [values[place]]
        if table == "pair":
            columns, given = [*columns, '"right"'], [*given, "'r'"]
        if table != "holder":
            columns, given = [*columns, "amount"], [*given, "0"]
        insert = f"INSERT INTO {table} (n, {', '.join(columns)}) VALUES ({n}, {', '.join(given)})"
        self._try(lambda: self._execute(insert))

    def _save(self, table: str, n: int, value: Any) -> None:
        more = {"right": "r"} if table == "pair" else {}
        with Session(self.engine) as session, session.begin():
            session.add(self.classes[table](n=n, **{MEMBERS[table]: value}, **more))

    def _literal(self, number: int) -> str | None:
        return self.kind.sql[number % len(self.kind.sql)] if self.kind.sql else None

    def _row(self, table: str, number: int) -> int | None:
        rows = self._numbers(table)
        return rows[number % len(rows)] if rows else None

    def _numbers(self, table: str) -> list[int]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(f"SELECT n FROM {table} ORDER BY n")).scalars())

    def _try(self, write: Callable[[], None]) -> None:
        """A write may be refused by the database, but not for what Afterwork has added to it."""
        try:
            write()
        except (SQLAlchemyError, UnicodeError, OverflowError, TypeError, ValueError) as error:
            if isinstance(error, DBAPIError) and self._is_caused_by_capture(error, write):
                raise AssertionError(f"it fails because of what Afterwork has added: {error.orig}") from error

    def _is_caused_by_capture(self, error: DBAPIError, write: Callable[[], None]) -> bool:
        if self.engine.dialect.name == "postgresql":
            return "afterwork_" in (error.orig.diag.context or "")  # type: ignore[union-attr]
        watched = self.engine
        with TemporaryDirectory() as folder:
            self.engine = _without_triggers(watched, f"{folder}/copy.db")
            try:
                write()
            except SQLAlchemyError:
                return False
            finally:
                self.engine.dispose()
                self.engine = watched
        return True

    # What must be so.

    def complaints(self) -> list[str]:
        """What is neither right nor has failed, in words."""
        return [*self._left(), *(one for table in self.classes for one in self._complaints(table))]

    def _left(self) -> Iterator[str]:
        with self.engine.connect() as connection:
            for name in ("journal", "recent"):
                if left := connection.execute(text(f"SELECT count(*) FROM afterwork_{name}")).scalar():
                    yield f"{left} left in {name}"

    def _complaints(self, table: str) -> Iterator[str]:
        stored = {name: self._stored(table, name) for name in self.caches[table]}
        wrong: dict[str, list[Any]] = {}
        for n in self._numbers(table):
            for name, right in self._right(table, n):
                if right != stored[name][n]:
                    wrong.setdefault(name, []).append((n, stored[name][n], right))
        for name, rows in wrong.items():
            cache = f"{self.classes[table].__name__}.{name}"
            failed = [line for line in self.app.insight(self.engine).caches_of(cache, "failed").items if line.error]
            if len(rows) > len(failed) or (table == "good" and rows):
                yield f"{cache}, row, stored, right: {rows}, and {len(failed)} have failed"

    def _stored(self, table: str, name: str) -> dict[int, str]:
        """What is stored of a cache, by row. Where a value can't be read, each row is asked for by itself."""
        cls = self.classes[table]
        column = getattr(cls, name)
        with Session(self.engine) as session:
            try:
                return {n: ascii(value) for n, value in session.execute(select(cls.n, column))}
            except Exception:
                session.rollback()
            found = {}
            for n in self._numbers(table):
                found[n] = _shown(lambda: session.scalars(select(column).where(cls.n == n)).one())
                session.rollback()
            return found

    def _right(self, table: str, n: int) -> Iterator[tuple[str, str]]:
        """Of each cache of a row what is right, calculated in a session of the row's own."""
        with Session(self.engine) as session:
            for name in self.caches[table]:
                yield name, _shown(lambda: self._calculated(session, self.classes[table], n, name))

    def _calculated(self, session: Session, cls: Any, n: int, name: str) -> Any:
        try:
            value = getattr(session.scalars(select(cls).where(cls.n == n)).one(), f"compute_{name}")()
            if name != "copy":
                return value
            # What the column makes of it.
            session.execute(update(cls).where(cls.n == n).values(copy=value))
            return session.scalars(select(cls.copy).where(cls.n == n)).one()
        finally:
            session.rollback()


def _without_triggers(engine: Engine, file: str) -> Engine:
    """A copy of a file in which nobody watches."""
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute("VACUUM INTO ?", (file,))
    copy = create_engine(f"sqlite:///{file}")
    with copy.begin() as connection:
        for name in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            connection.execute(text(f'DROP TRIGGER "{name}"'))
    return copy


def _shown(read: Callable[[], Any]) -> str:
    try:
        return ascii(read())
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:80]}"

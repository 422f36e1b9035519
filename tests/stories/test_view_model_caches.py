"""A view model with `when = aw.WhenStale()`: it creates, changes and deletes derived objects, and runs when it must."""

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw
from tests.conftest import Trade


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Project(Base):
    __tablename__ = "project"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    state: Mapped[str] = mapped_column(default="quiet")
    tasks: Mapped[list["Task"]] = relationship(order_by="Task.id")
    reminders: Mapped[list["Reminder"]] = relationship(cascade="all, delete-orphan", order_by="Reminder.id")


class Task(Base):
    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    title: Mapped[str]
    done: Mapped[bool] = mapped_column(default=False)


class Reminder(Base):
    __tablename__ = "reminder"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    text: Mapped[str]


class Reminding(aw.ViewModel[Project]):
    """One reminder for each task that is open."""

    when = aw.WhenStale()

    @aw.action
    def remind(self) -> None:
        wanted = {task.title for task in self.root.tasks if not task.done}
        if "impossible" in wanted:
            raise ValueError("nobody can do that")
        existing = {reminder.text: reminder for reminder in self.root.reminders}
        for text in existing.keys() - wanted:
            self.root.reminders.remove(existing[text])
        for text in sorted(wanted - existing.keys()):
            self.root.reminders.append(Reminder(text=text))

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        self.root.state = self.error_text[:40]


class Naming(aw.ViewModel[Reminder]):
    """Whatever is changed of a reminder, its text begins with a capital letter."""

    when = aw.WhenStale(priority=1)

    @aw.action
    def capital(self) -> None:
        self.root.text = self.root.text.capitalize()


def _projects(engine: object) -> Trade:
    trade = Trade.__new__(Trade)
    trade.engine, trade.clock, trade.settings = engine, aw.ManualClock(), aw.Settings()  # type: ignore[assignment]
    trade.app = aw.Afterwork(Base, clock=trade.clock)
    Base.metadata.create_all(trade.engine)
    trade.app.install(trade.engine)
    with Session(trade.engine) as session:
        tasks = [Task(id=1, title="Write"), Task(id=2, title="Read")]
        session.add(Project(id=1, name="Book", tasks=tasks))
        session.commit()
    trade.run()
    return trade


def _reminders(trade: Trade) -> list[str]:
    with Session(trade.engine) as session:
        return list(session.scalars(select(Reminder.text).order_by(Reminder.text)))


def test_derived_objects_come_and_go_with_what_they_are_derived_from(engine: object) -> None:
    trade = _projects(engine)
    assert _reminders(trade) == ["Read", "Write"]

    trade.sql("UPDATE task SET done = true WHERE id = 1")
    assert "Reminding Project!1" in trade.run()

    assert _reminders(trade) == ["Read"]


def test_its_own_writes_do_not_wake_it(engine: object) -> None:
    trade = _projects(engine)

    trade.sql("INSERT INTO task (id, project_id, title, done) VALUES (3, 1, 'Rest', false)")

    assert trade.run().count("Reminding Project!1") == 1
    assert trade.run() == []


def test_a_derived_object_that_somebody_else_changes_is_put_right(engine: object) -> None:
    trade = _projects(engine)

    trade.sql("DELETE FROM reminder WHERE text = 'Read'")
    trade.run()

    assert _reminders(trade) == ["Read", "Write"]


def test_what_it_does_when_it_raises_is_undone_and_it_is_told(engine: object) -> None:
    trade = _projects(engine)

    trade.sql("UPDATE task SET title = 'impossible' WHERE id = 1")
    trade.run()
    assert _reminders(trade) == ["Read", "Write"]
    assert str(trade.value("SELECT state FROM project")).startswith("ValueError: nobody can")

    trade.sql("UPDATE task SET title = 'Sing' WHERE id = 1")
    trade.run()
    assert _reminders(trade) == ["Read", "Sing"]

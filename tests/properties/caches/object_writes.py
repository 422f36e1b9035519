"""More acts, on objects that change their class, that are hidden, and that have odd keys. See `writes`."""

from datetime import date

from sqlalchemy import Connection, Date, bindparam, text
from sqlalchemy.orm import Session

from tests.properties.caches.objects import Boss, Director, Employee, Manager, Person, Place, Task, Visit
from tests.properties.caches.writes import ACTS, act, orm, sql

OF_OTHERS = tuple(ACTS)

ODD = ("a\x1fb", "a!b%21", "né ", "x", "X", " x", "100%", "日\u2028")
"""Names that are keys. They differ by case and by blanks, or have what keys are written with. No two differ by blanks
at the end alone: such texts count as one key, and what belongs to one runs for the other, too."""

DAYS = (date(2026, 1, 1), date(2026, 12, 31))

# Of another class in the same table.
sql(
    "insert a person",
    "INSERT INTO person (id, type, name, note, greeting, title)"
    " VALUES (:a, CASE WHEN :b > 2 THEN 'manager' ELSE 'person' END, 'n', 0, 'x', 'x') ON CONFLICT DO NOTHING",
)
sql(
    "give a person a class",
    "UPDATE person SET type = CASE WHEN :b = 1 THEN 'manager' WHEN :b = 2 THEN 'person' ELSE 'director' END"
    " WHERE id = :a",
)
sql(
    "give all people another class", "UPDATE person SET type = CASE type WHEN 'person' THEN 'manager' ELSE 'person' END"
)
sql("name a person", "UPDATE person SET name = CASE WHEN :b > 2 THEN 'n' ELSE 'm' END WHERE id = :a")
sql("delete a person", "DELETE FROM person WHERE id = :a")
sql("give a person another key", "UPDATE person SET id = id + 4 WHERE id = :a AND NOT EXISTS"
    " (SELECT 1 FROM person WHERE id = :a + 4)")  # fmt: skip
sql("overwrite titles", "UPDATE person SET title = 'x', greeting = 'x' WHERE id >= :a")
sql("notes on people", "UPDATE person SET note = note + 1, type = type")


@orm("save a person")
def _save_person(session: Session, a: int, b: int, c: int) -> None:
    if session.get(Person, a + 4) is None:
        session.add((Person, Manager, Director)[b % 3](id=a + 4, name="o"))


# Of another class with a table of its own.
sql(
    "insert an employee",
    "INSERT INTO employee (id, type, salary, pay) VALUES (:a, 'employee', :c, 77) ON CONFLICT DO NOTHING",
)
sql("set a salary", "UPDATE employee SET salary = :b WHERE id = :a")
sql("set bonuses", "UPDATE boss SET bonus = :b WHERE id <= :a")
sql("delete an employee", "DELETE FROM employee WHERE id = :a")
sql("overwrite what is paid", "UPDATE employee SET pay = pay + :b WHERE id >= :a")
sql("overwrite shares", "UPDATE boss SET share = :b")
sql("nothing: employees", "UPDATE employee SET type = type, salary = salary")


@act("make a boss")
def _make_a_boss(connection: Connection, a: int, b: int, c: int) -> None:
    connection.execute(
        text(
            "INSERT INTO boss (id, bonus, share) SELECT id, :b, 77 FROM employee WHERE id = :a AND type = 'employee'"
            " ON CONFLICT DO NOTHING"
        ),
        {"a": a, "b": b},
    )
    connection.execute(text("UPDATE employee SET type = 'boss' WHERE id = :a"), {"a": a})


@act("make no boss")
def _make_no_boss(connection: Connection, a: int, b: int, c: int) -> None:
    """Without its row in the subclass's table, a boss could not be read."""
    connection.execute(text("UPDATE employee SET type = 'employee' WHERE id >= :a"), {"a": a})
    connection.execute(text("DELETE FROM boss WHERE id >= :a"), {"a": a})


@orm("save a boss")
def _save_boss(session: Session, a: int, b: int, c: int) -> None:
    if session.get(Employee, a) is None:
        session.add(Boss(id=a, salary=b, bonus=c))


# What the program hides.
sql("insert an owner", "INSERT INTO owner (id, counts) VALUES (:a, 'x') ON CONFLICT DO NOTHING")
sql("delete an owner", "DELETE FROM owner WHERE id = :a")
sql(
    "insert a task",
    "INSERT INTO task (id, owner_id, name, deleted, shown)"
    " VALUES (:a, (SELECT id FROM owner WHERE id = :b), 'n', :c > 3, 'x') ON CONFLICT DO NOTHING",
)
sql("hide or show a task", "UPDATE task SET deleted = NOT deleted WHERE id = :a")
sql("hide tasks", "UPDATE task SET deleted = true WHERE id >= :a")
sql("show tasks", "UPDATE task SET deleted = false WHERE id <> :b")
sql("name a task", "UPDATE task SET name = name || CASE WHEN :b > 2 THEN 'n' ELSE 'm' END WHERE id = :a")
sql("rename tasks", "UPDATE task SET name = name || '.'")
sql("move tasks", "UPDATE task SET owner_id = (SELECT id FROM owner WHERE id = :b) WHERE id >= :a")
sql("delete a task", "DELETE FROM task WHERE id = :a")
sql("overwrite what is shown of tasks", "UPDATE task SET shown = 'x' WHERE id >= :a")


@orm("hide a task that is renamed")
def _hide(session: Session, a: int, b: int, c: int) -> None:
    task = session.get(Task, a)
    if task is not None:
        task.name, task.deleted = f"{task.name}{b}", True


# Odd keys, of two parts.


def _odd(name: str, statement: str) -> None:
    """An act that is one statement on a name, another one, a day, and the numbers a, b and c."""

    def change(connection: Connection, a: int, b: int, c: int) -> None:
        given = {"name": _name(a, b), "other": _name(c, a), "day": DAYS[c > 2], "a": a, "b": b, "c": c}
        used = {name: value for name, value in given.items() if f":{name}" in statement}
        days = [bindparam("day", type_=Date)] if "day" in used else []
        connection.execute(text(statement).bindparams(*days), used)

    ACTS[name] = change


def _name(one: int, other: int) -> str:
    return ODD[one - 1 + (4 if other > 2 else 0)]


_odd(
    "insert a place",
    "INSERT INTO place (name, day, note, visited) VALUES (:name, :day, 0, 77) ON CONFLICT DO NOTHING",
)
_odd(
    "insert a visit",
    "INSERT INTO visit (id, place_name, place_day, count, shown) SELECT :a, name, day, :c, 'x' FROM place"
    " WHERE name = :name ON CONFLICT DO NOTHING",
)
_odd(
    "give a place another name",
    "UPDATE place SET name = :other WHERE name = :name AND NOT EXISTS (SELECT 1 FROM place WHERE name = :other)",
)
_odd(
    "give a place another day",
    "UPDATE place SET day = :day WHERE name = :name"
    " AND NOT EXISTS (SELECT 1 FROM place WHERE name = :name AND day = :day)",
)
_odd("delete a place", "DELETE FROM place WHERE name = :name")
_odd("count visits", "UPDATE visit SET count = :b WHERE id = :a")
_odd("count visits to a place", "UPDATE visit SET count = count + 1 WHERE place_name = :name")
_odd(
    "move a visit",
    "UPDATE visit SET place_name = p.name, place_day = p.day FROM place p"
    " WHERE p.name = :other AND p.day = :day AND visit.id = :a",
)
_odd("a visit to nowhere", "UPDATE visit SET place_name = NULL WHERE id = :a")
_odd("delete a visit", "DELETE FROM visit WHERE id = :a")
_odd("overwrite visits", "UPDATE place SET visited = :b WHERE name = :name")
_odd("nothing: places", "UPDATE place SET name = name, day = day, note = note + 1")


@orm("give a place and its visits another name")
def _rename_place(session: Session, a: int, b: int, c: int) -> None:
    visit = session.get(Visit, a)
    if visit is not None and visit.place is not None and session.get(Place, (_name(c, b), visit.place.day)) is None:
        visit.place.name = _name(c, b)
        visit.count += 1


NAMES = tuple(ACTS)
ON_OBJECTS = NAMES[len(OF_OTHERS) :]
"""The acts of this module."""

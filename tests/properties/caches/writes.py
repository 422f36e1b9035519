"""Everything that users may do to the rows, as single acts on a connection with an open transaction.

An act takes three small numbers, which say to what it is done; where there is nothing of the kind, it does nothing.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update
from sqlalchemy.orm import Session

from tests.properties.caches.model import Group, Item, Node, Noise, Part, Tag, item_tag

Act = Callable[[Connection, int, int, int], None]

ACTS: dict[str, Act] = {}
EMPTIES = {"empty parts": "part", "empty tags of items": "item_tag"}
"""Acts that empty a table at once, with the table."""

REPLACES = {"replace a part": ("part", "item"), "replace a tag": ("tag", None)}
"""Acts that put a row in the place of another one, with the table, and the one that must have a row for it."""

BESIDE_SERVERS = frozenset(
    {
        "insert a part", "upsert a part", "count parts", "raise prices", "move a part", "delete a part",
        "delete parts of an item", "give a part another key", "give a part its key back", "insert a tag", "weigh a tag",
        "name a tag", "delete a tag", "tag an item", "tag all items", "untag an item", "move a tag", "nothing: parts",
        "nothing: links", "notes on parts", "notes on tags", "noise", "no more noise", "a part of nothing",
        "merge parts", "insert many parts", "update many parts", "delete old parts", "update parts from items",
        "link by core", "unlink by core", "move parts by their ends", "tags of an item", "make noise",
    }
)  # fmt: skip
"""Acts that lock no row that a server ever writes."""


def act(name: str) -> Callable[[Act], Act]:
    def note(done: Act) -> Act:
        ACTS[name] = done
        return done

    return note


def sql(name: str, statement: str) -> None:
    """An act that is one statement on the numbers a, b and c."""
    used = [name for name in "abc" if f":{name}" in statement]

    def run(connection: Connection, a: int, b: int, c: int) -> None:
        given = {"a": a, "b": b, "c": c}
        connection.execute(text(statement), {name: given[name] for name in used})

    ACTS[name] = run


_ITEM = "(SELECT id FROM item WHERE id = :{})"
_GROUP = "(SELECT id FROM groups WHERE id = :{})"
_TAG = "(SELECT id FROM tag WHERE id = :{})"

# Raw SQL, as another program would do it.
sql(
    "insert an item",
    "INSERT INTO item (id, group_id, active, amount, note, goods, worth, names, overdue, bulk, caption)"
    f" VALUES (:a, {_GROUP.format('b')}, :c > 1, :c, 0, 77, 77, 'x', false, 'x', 'x') ON CONFLICT DO NOTHING",
)
sql("delete an item", "DELETE FROM item WHERE id = :a")
sql("move an item", f"UPDATE item SET group_id = {_GROUP.format('b')} WHERE id = :a")
sql("move all items of a group", f"UPDATE item SET group_id = {_GROUP.format('b')} WHERE group_id = :a")
sql("let an item go", "UPDATE item SET group_id = NULL WHERE id = :a")
sql("switch an item", "UPDATE item SET active = NOT active WHERE id = :a")
sql("activate items", "UPDATE item SET active = (id <> :b) WHERE group_id = :a")
sql("set an amount", "UPDATE item SET amount = :b WHERE id = :a")
sql("raise two amounts", "UPDATE item SET amount = amount + :b, note = note + 1 WHERE id IN (:a, :c)")
sql("set when an item is due", "UPDATE item SET due = :b * 3 WHERE id = :a")
sql("an item is never due", "UPDATE item SET due = NULL WHERE id = :a")
sql(
    "insert a group",
    "INSERT INTO groups (id, name, note, total, late, share, stats, stock, title)"
    " VALUES (:a, 'g', 0, 5, 5, 5, 'x', 'x', 'x') ON CONFLICT DO NOTHING",
)
sql("delete a group", "DELETE FROM groups WHERE id = :a")
sql("name a group", "UPDATE groups SET name = CASE WHEN :b > 2 THEN 'g' ELSE 'h' END WHERE id = :a")
sql(
    "insert a part",
    "INSERT INTO part (id, item_id, count, price, note)"
    f" VALUES (:a, {_ITEM.format('b')}, :c, 1, 0) ON CONFLICT DO NOTHING",
)
sql(
    "upsert a part",
    f"INSERT INTO part (id, item_id, count, price, note) SELECT :a, {_ITEM.format('b')}, :c, 2, 0 WHERE true"
    " ON CONFLICT (id) DO UPDATE SET count = excluded.count, item_id = excluded.item_id",
)
sql("count parts", "UPDATE part SET count = :b WHERE id = :a")
sql("raise prices", "UPDATE part SET price = price + 1 WHERE item_id = :a")
sql("move a part", f"UPDATE part SET item_id = {_ITEM.format('b')} WHERE id = :a")
sql("delete a part", "DELETE FROM part WHERE id = :a")
sql("delete parts of an item", "DELETE FROM part WHERE item_id = :a")
sql(
    "give a part another key",
    "UPDATE part SET id = :a + 20 WHERE id = :a AND NOT EXISTS (SELECT 1 FROM part WHERE id = :a + 20)",
)
sql(
    "give a part its key back",
    "UPDATE part SET id = :a WHERE id = :a + 20 AND NOT EXISTS (SELECT 1 FROM part WHERE id = :a)",
)
sql("insert a tag", "INSERT INTO tag (id, name, weight, note) VALUES (:a, 't', :b, 0) ON CONFLICT DO NOTHING")
sql("weigh a tag", "UPDATE tag SET weight = :b WHERE id = :a")
sql("name a tag", "UPDATE tag SET name = CASE WHEN :b > 2 THEN 't' ELSE 'u' END WHERE id = :a")
sql("delete a tag", "DELETE FROM tag WHERE id = :a")
sql(
    "tag an item",
    "INSERT INTO item_tag (item_id, tag_id) SELECT i.id, t.id FROM item i, tag t WHERE i.id = :a AND t.id = :b"
    " ON CONFLICT DO NOTHING",
)
sql(
    "tag all items",
    "INSERT INTO item_tag (item_id, tag_id) SELECT i.id, t.id FROM item i, tag t WHERE t.id = :a"
    " ON CONFLICT DO NOTHING",
)
sql("untag an item", "DELETE FROM item_tag WHERE item_id = :a AND tag_id = :b")
sql(
    "move a tag",
    f"UPDATE item_tag SET item_id = :c WHERE item_id = :a AND tag_id = :b AND EXISTS {_ITEM.format('c')}"
    " AND NOT EXISTS (SELECT 1 FROM item_tag WHERE item_id = :c AND tag_id = :b)",
)
sql(
    "insert a node",
    "INSERT INTO node (id, parent_id, own, note, total, level, mark)"
    " VALUES (:a, (SELECT id FROM node WHERE id = :b AND id < :a), :c, 0, 9, 9, 9) ON CONFLICT DO NOTHING",
)
sql("set what a node has itself", "UPDATE node SET own = :b WHERE id = :a")
sql("set what all nodes have", "UPDATE node SET own = own + 1 WHERE id > :a")
sql("move a node", "UPDATE node SET parent_id = (SELECT p.id FROM node p WHERE p.id = :b AND p.id < :a) WHERE id = :a")
sql("delete a node", "DELETE FROM node WHERE id = :a")
sql("take a badge away", "DELETE FROM badge WHERE id = (SELECT max(id) FROM badge WHERE group_id = :a)")
sql(
    "give a badge",
    "INSERT INTO badge (id, group_id) SELECT 1000 + :b, id FROM groups WHERE id = :a ON CONFLICT DO NOTHING",
)

# What belongs to the caches.
sql("overwrite what an item is worth", "UPDATE item SET worth = worth + :b WHERE id = :a")
sql("overwrite what items are called", "UPDATE item SET names = 'x', overdue = NOT overdue WHERE group_id = :a")
sql("overwrite a group's values", "UPDATE groups SET total = :b, title = 'x', wares = wares + :b WHERE id = :a")
sql("overwrite levels", "UPDATE node SET level = :b WHERE id >= :a")

# What changes nothing that anybody has read.
sql("nothing: parts", "UPDATE part SET count = count, item_id = item_id, price = price WHERE id <> :a")
sql("nothing: items", "UPDATE item SET active = active, group_id = group_id, amount = amount")
sql("nothing: groups", "UPDATE groups SET name = name, total = total")
sql("nothing: nodes", "UPDATE node SET parent_id = parent_id, own = own")
sql("nothing: links", "UPDATE item_tag SET tag_id = tag_id WHERE item_id = :a")
sql("notes on items", "UPDATE item SET note = note + 1")
sql("notes on parts", "UPDATE part SET note = :b WHERE item_id = :a")
sql("notes on groups and more", "UPDATE groups SET note = note + :b")
sql("notes on tags", "UPDATE tag SET note = note + :b WHERE id = :a")
sql("notes on nodes", "UPDATE node SET note = :b")
sql("noise", "INSERT INTO noise (id, item_id, text) VALUES (:a, :b, 'x') ON CONFLICT (id) DO UPDATE SET item_id = :c")
sql("no more noise", "DELETE FROM noise")
sql(
    "a part of nothing",
    "INSERT INTO part (id, item_id, count, price, note) VALUES (40 + :a, NULL, 1, 1, 0) ON CONFLICT DO NOTHING",
)


@act("empty parts")
def _empty_parts(connection: Connection, a: int, b: int, c: int) -> None:
    _empty(connection, "part")


@act("empty tags of items")
def _empty_links(connection: Connection, a: int, b: int, c: int) -> None:
    _empty(connection, "item_tag")


def _empty(connection: Connection, table: str) -> None:
    on_sqlite = connection.dialect.name == "sqlite"
    connection.execute(text(f"DELETE FROM {table}" if on_sqlite else f"TRUNCATE {table}"))


@act("replace a part")
def _replace_a_part(connection: Connection, a: int, b: int, c: int) -> None:
    if connection.dialect.name == "sqlite":
        statement = (
            "INSERT OR REPLACE INTO part (id, item_id, count, price, note)"
            " SELECT :a, id, :c, 3, 0 FROM item WHERE id = :b"
        )
        connection.execute(text(statement), {"a": a, "b": b, "c": c})


@act("replace a tag")
def _replace_a_tag(connection: Connection, a: int, b: int, c: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("REPLACE INTO tag (id, name, weight, note) VALUES (:a, 'r', :b, 0)"), {"a": a, "b": b})


@act("merge parts")
def _merge_parts(connection: Connection, a: int, b: int, c: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                "MERGE INTO part USING (SELECT i.id AS item, i.id + 50 AS part FROM item i WHERE i.id <> :a) AS new"
                " ON part.id = new.part"
                " WHEN MATCHED AND part.count > 2 THEN DELETE"
                " WHEN MATCHED THEN UPDATE SET count = part.count + :b"
                " WHEN NOT MATCHED THEN INSERT (id, item_id, count, price, note) VALUES (new.part, new.item, 1, 1, 0)"
            ),
            {"a": a, "b": b},
        )


@act("two tables in one statement")
def _two_tables(connection: Connection, a: int, b: int, c: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                "WITH gone AS (DELETE FROM part WHERE item_id = :a RETURNING count),"
                " named AS (UPDATE tag SET weight = weight + :c WHERE id = :b)"
                " UPDATE item SET amount = amount + (SELECT coalesce(sum(count), 0) FROM gone) WHERE id = :a"
            ),
            {"a": a, "b": b, "c": c},
        )


@act("everything")
def _everything(connection: Connection, a: int, b: int, c: int) -> None:
    """Change something that nearly every cache reads."""
    for change in (
        "item SET amount = amount + 1",
        "part SET count = count + 1",
        "tag SET weight = weight + 1, name = name || '+'",
        "node SET own = own + 1",
        "groups SET name = name || '+'",
        "person SET name = name || '+'",
        "employee SET salary = salary + 1",
        "task SET name = name || '+'",
        "visit SET count = count + 1",
    ):
        connection.execute(text(f"UPDATE {change}"))


# Core, with many rows at once.


@act("insert many parts")
def _insert_many(connection: Connection, a: int, b: int, c: int) -> None:
    existing = set(connection.execute(select(Part.id)).scalars())
    if connection.execute(select(Item.id).where(Item.id == a)).scalar() is not None:
        new = [{"id": 30 + n, "item_id": a, "count": b, "price": n} for n in range(c) if 30 + n not in existing]
        if new:
            connection.execute(insert(Part), new)


@act("update many parts")
def _update_many(connection: Connection, a: int, b: int, c: int) -> None:
    statement = update(Part.__table__).where(Part.id == bindparam("of")).values(count=bindparam("new"))  # type: ignore[arg-type]
    connection.execute(statement, [{"of": n, "new": b} for n in (a, c)])


@act("delete old parts")
def _delete_old(connection: Connection, a: int, b: int, c: int) -> None:
    connection.execute(delete(Part).where(Part.count == b, Part.id > a))


@act("update parts from items")
def _update_from(connection: Connection, a: int, b: int, c: int) -> None:
    connection.execute(update(Part).where(Part.item_id == Item.id, Item.group_id == a).values(price=Item.amount))


@act("unlink by core")
def _unlink(connection: Connection, a: int, b: int, c: int) -> None:
    connection.execute(delete(item_tag).where(item_tag.c.item_id == a, item_tag.c.tag_id != b))


@act("link by core")
def _link(connection: Connection, a: int, b: int, c: int) -> None:
    there = set(connection.execute(select(item_tag.c.tag_id).where(item_tag.c.item_id == a)).scalars())
    pair = select(Item.id, Tag.id).join(Tag, Tag.id.in_({b, c} - there)).where(Item.id == a)
    connection.execute(insert(item_tag).from_select(["item_id", "tag_id"], pair))


# The ORM: whatever one flush makes of it.


def orm(name: str) -> Callable[[Callable[[Session, int, int, int], None]], None]:
    def note(change: Callable[[Session, int, int, int], None]) -> None:
        def run(connection: Connection, a: int, b: int, c: int) -> None:
            session = Session(connection)
            try:
                with session.no_autoflush:
                    change(session, a, b, c)
                session.commit()  # of the session's own part: the connection's transaction goes on
            finally:
                session.close()

        ACTS[name] = run

    return note


@orm("save an item with parts")
def _save(session: Session, a: int, b: int, c: int) -> None:
    if session.get(Item, a) is None:
        item = Item(id=a, amount=b, active=c != 2, group=session.get(Group, b))
        existing = set(session.scalars(select(Part.id)))
        item.parts = [Part(id=60 + n, count=n, price=b) for n in range(c) if 60 + n not in existing]
        item.tags = [tag for number in {b, c} if (tag := session.get(Tag, number)) is not None]
        session.add(item)


@orm("delete an object")
def _delete(session: Session, a: int, b: int, c: int) -> None:
    found: Any = session.get((Item, Group, Part, Tag, Node)[b % 5], a)
    if found is not None:
        session.delete(found)


@orm("change members")
def _change(session: Session, a: int, b: int, c: int) -> None:
    item = session.get(Item, a)
    if item is not None:
        item.amount = c
        item.active = b > 2
        item.note += 1
        for part in item.parts:
            part.count = b


@orm("move parts by their ends")
def _move_parts(session: Session, a: int, b: int, c: int) -> None:
    item, other = session.get(Item, a), session.get(Item, b)
    if item is not None and other is not None and item is not other:
        other.parts.extend(list(item.parts)[:c])


@orm("move an item by its end")
def _move_item(session: Session, a: int, b: int, c: int) -> None:
    item = session.get(Item, a)
    if item is not None:
        item.group = session.get(Group, b)


@orm("tags of an item")
def _set_tags(session: Session, a: int, b: int, c: int) -> None:
    item = session.get(Item, a)
    if item is not None:
        item.tags = list(session.scalars(select(Tag).where(Tag.id.in_([b, c]))))


@orm("a branch of the tree")
def _branch(session: Session, a: int, b: int, c: int) -> None:
    parent = session.get(Node, a)
    if parent is not None:
        for n in range(1, 3):
            if session.get(Node, 10 * a + n) is None:
                parent.children.append(Node(id=10 * a + n, own=b))


@orm("save a whole item")
def _save_whole(session: Session, a: int, b: int, c: int) -> None:
    """As it was in a form or a file."""
    if session.get(Item, a) is not None:
        session.merge(Item(id=a, amount=b, goods=c, worth=c, names="old"))


@orm("make noise")
def _noise(session: Session, a: int, b: int, c: int) -> None:
    session.merge(Noise(id=a, item_id=b, text="z" * c))

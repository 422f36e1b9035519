"""What the model's calculations are, once more: in plain Python over rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.properties.caches.looks import Cache, Key, Look, State, Values
from tests.properties.caches.model import badges_for

HIDDEN = object()
"""The result for an object that the program doesn't see: nothing runs, and what is stored stays as it is."""


def _tags(look: Look, item: Key) -> list[Key]:
    return sorted(tag for _, tag in look.keys("item_tag", item_id=item) if look.is_there("tag", tag))


def _goods(look: Look, item: Key) -> int:
    parts = look.keys("part", item_id=item)
    counted = sum(look.cell("part", part, "count") * look.cell("part", part, "price") for part in parts)
    return int(look.cell("item", item, "amount") + counted)


def _worth(look: Look, item: Key) -> int:
    found = int(look.cell("item", item, "goods"))
    if look.cell("item", item, "active"):
        found += sum(look.cell("tag", tag, "weight") for tag in _tags(look, item))
    return found


def _names(look: Look, item: Key) -> str:
    return ",".join(look.cell("tag", tag, "name") for tag in _tags(look, item))


def _overdue(look: Look, item: Key) -> bool:
    due = look.cell("item", item, "due")
    return due is not None and look.passed(due)


def _bulk(look: Look, item: Key) -> str:
    counts = {part: look.state["part"][part]["count"] for part in look.keys("part", ("count",), item_id=item)}
    return ",".join(f"{part}:{count}" for part, count in counts.items() if count > 2)


def _caption(look: Look, item: Key) -> str:
    group = look.cell("item", item, "group_id")
    if group is None or not look.is_there("groups", group):
        return ""
    return f"{look.cell('groups', group, 'name').upper()} {item}"


def _total(look: Look, group: Key) -> int:
    items = look.keys("item", group_id=group)
    return sum(look.cell("item", item, "worth") for item in items if look.cell("item", item, "active"))


def _wares(look: Look, group: Key) -> int:
    return sum(look.cell("item", item, "goods") for item in look.keys("item", group_id=group, active=True))


def _late(look: Look, group: Key) -> int:
    return sum(look.cell("item", item, "overdue") for item in look.keys("item", group_id=group))


def _share(look: Look, group: Key) -> int:
    most = max((look.cell("item", item, "worth") for item in look.keys("item", group_id=group)), default=0)
    total = look.cell("groups", group, "total")
    return int(most * 100 // total) if total else 0


def _stats(look: Look, group: Key) -> str:
    count = len(look.keys("item", group_id=group, active=True))
    amounts = [look.state["item"][key]["amount"] for key in look.keys("item", ("amount",), group_id=group)]
    return f"{count}/{max(amounts, default=None)}"


def _stock(look: Look, group: Key) -> str:
    parts = [part for item in look.keys("item", group_id=group) for part in look.keys("part", item_id=item)]
    return ",".join(f"{part}:{look.cell('part', part, 'price')}" for part in sorted(parts))


def _title(look: Look, group: Key) -> str:
    return " ".join(str(look.cell("groups", group, name)) for name in ("name", "total", "late", "share", "stats"))


def _badges(look: Look, group: Key) -> int:
    look.keys("badge", group_id=group)
    return badges_for(look.cell("groups", group, "total"))


def _node_total(look: Look, node: Key) -> int:
    children = look.keys("node", parent_id=node)
    below: int = sum(look.cell("node", child, "total") for child in children)
    return below + int(look.cell("node", node, "own"))


def _level(look: Look, node: Key) -> int:
    parent = look.cell("node", node, "parent_id")
    if parent is None or not look.is_there("node", parent):
        return 0
    return int(look.cell("node", parent, "level")) + 1


def _mark(look: Look, node: Key) -> int:
    return 100 * int(look.cell("node", node, "level")) + int(look.cell("node", node, "total"))


def _greeting(look: Look, person: Key) -> str:
    return f"{look.cell('person', person, 'type').capitalize()} {look.cell('person', person, 'name')}"


def _person_title(look: Look, person: Key) -> str:
    return f"{look.cell('person', person, 'type')[0].upper()} {look.cell('person', person, 'name')}"


def _pay(look: Look, employee: Key) -> int:
    is_boss = look.cell("employee", employee, "type") == "boss"
    bonus = look.cell("boss", employee, "bonus") if is_boss else 0
    return int(look.cell("employee", employee, "salary") + bonus)


def _share_of_boss(look: Look, boss: Key) -> int:
    look.cell("employee", boss, "type")
    return int(look.cell("boss", boss, "bonus") * 10)


def _task_shown(look: Look, task: Key) -> Any:
    return HIDDEN if look.cell("task", task, "deleted") else look.cell("task", task, "name").upper()


def _counts(look: Look, owner: Key) -> str:
    look.keys("task", owner_id=owner)  # the end itself has hidden tasks, too
    found = len(look.keys("task", owner_id=owner, deleted=False))
    return f"{found} {found}"


def _visited(look: Look, place: Key) -> int:
    visits = look.keys("visit", place_name=place[0], place_day=place[1])
    return sum(look.cell("visit", visit, "count") for visit in visits)


def _visit_shown(look: Look, visit: Key) -> str:
    place = look.cell("visit", visit, "place_name"), look.cell("visit", visit, "place_day")
    if None in place or not look.is_there("place", place):
        return ""
    return f"{place[0]}/{place[1]}:{look.cell('place', place, 'visited')}"


def _each(row: Values) -> bool:
    return True


@dataclass(frozen=True)
class Definition:
    """A cache of each row of a table, or of those that `has` it. `column` is None for the view model, which makes
    badges. Those of a tree read what others of the same kind write. `tables` are those that it ever reads. With
    `is_in_sets`, the database keeps nothing of its runs."""

    name: str
    table: str
    column: str | None
    calculate: Callable[[Look, Key], Any]
    tables: Sequence[str]
    is_tree: bool = False
    is_in_sets: bool = False
    has: Callable[[Values], bool] = _each

    def is_there(self, state: State, key: Key) -> bool:
        """Whether there is such a cache."""
        return self.is_of(state[self.table].get(key))

    def is_of(self, row: Values | None) -> bool:
        return row is not None and self.has(row)


DEFINITIONS = (
    Definition("Item.goods", "item", "goods", _goods, ("item", "part"), is_in_sets=True),
    Definition("Group.wares", "groups", "wares", _wares, ("item",), is_in_sets=True),
    Definition("Item.worth", "item", "worth", _worth, ("item", "item_tag", "tag")),
    Definition("Item.names", "item", "names", _names, ("item_tag", "tag")),
    Definition("Item.overdue", "item", "overdue", _overdue, ("item",)),
    Definition("Item.bulk", "item", "bulk", _bulk, ("part",)),
    Definition("Item.caption", "item", "caption", _caption, ("item", "groups")),
    Definition("Group.stock", "groups", "stock", _stock, ("item", "part")),
    Definition("Group.stats", "groups", "stats", _stats, ("item",)),
    Definition("Group.total", "groups", "total", _total, ("item",)),
    Definition("Group.late", "groups", "late", _late, ("item",)),
    Definition("Group.share", "groups", "share", _share, ("item", "groups")),
    Definition("Group.title", "groups", "title", _title, ("groups",)),
    Definition("Badging", "groups", None, _badges, ("groups", "badge")),
    Definition("Node.total", "node", "total", _node_total, ("node",), is_tree=True),
    Definition("Node.level", "node", "level", _level, ("node",), is_tree=True),
    Definition("Node.mark", "node", "mark", _mark, ("node",)),
    Definition("Person.greeting", "person", "greeting", _greeting, ("person",)),
    Definition("Manager.title", "person", "title", _person_title, ("person",), has=lambda row: row["type"] != "person"),
    Definition("Employee.pay", "employee", "pay", _pay, ("employee", "boss")),
    Definition("Boss.share", "boss", "share", _share_of_boss, ("employee", "boss")),
    Definition("Task.shown", "task", "shown", _task_shown, ("task",)),
    Definition("Owner.counts", "owner", "counts", _counts, ("task",)),
    Definition("Place.visited", "place", "visited", _visited, ("visit",)),
    Definition("Visit.shown", "visit", "shown", _visit_shown, ("visit", "place")),
)
"""Those that are read before those that read them."""

BY_NAME = {definition.name: definition for definition in DEFINITIONS}


def wrong_values(state: State, hour: float) -> dict[Cache, tuple[Any, Any]]:
    """What is stored and what would be right, where these differ. Nothing that is stored is believed: each value is
    made of those that were made before, from the rows that users write."""
    right = {table: {key: dict(row) for key, row in rows.items()} for table, rows in state.items()}
    wrong: dict[Cache, tuple[Any, Any]] = {}
    for definition in DEFINITIONS:
        for key in feeders_first(definition, state):
            value = definition.calculate(Look(right, hour), key)
            if value is HIDDEN:
                continue
            if definition.column is not None:
                stored = state[definition.table][key][definition.column]
                right[definition.table][key][definition.column] = value
            else:
                stored = sum(row["group_id"] == key for row in state["badge"].values())
            if stored != value:
                wrong[definition.name, key] = (stored, value)
    return wrong


def feeders_first(definition: Definition, state: State) -> list[Key]:
    """Parents have smaller keys than their children here."""
    found = (key for key in state[definition.table] if definition.is_there(state, key))
    return sorted(found, reverse=definition.name == "Node.total")

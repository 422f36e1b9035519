"""What must come of it all, found out by plain Python over rows. It shares nothing with the library.

A calculation looks at rows through `Look`, which notes each question that it asks. A change of one row touches a
question if its answer is another one before and after. So what runs is known: the caches with a question that was
touched.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.properties.caches.model import badges_for

Key = Any
Values = Mapping[str, Any]
State = dict[str, dict[Key, dict[str, Any]]]
"""By table and primary key, the columns of each row."""

Cache = tuple[str, Key]
"""A cache of an object: `("Item.worth", 1)`."""

HIDDEN = object()
"""The result for an object that the program doesn't see: nothing runs, and what is stored stays as it is."""


@dataclass(frozen=True)
class Change:
    """One row, before and after one statement; None where it was not there. With `emptied`, a table was truncated."""

    table: str
    key: Key
    before: Values | None
    after: Values | None
    emptied: bool = False


@dataclass(frozen=True)
class Cell:
    """What is in a column of a row; with no column, whether there is such a row."""

    table: str
    key: Key
    column: str | None

    def is_touched(self, change: Change) -> bool:
        if (change.table, change.key) != (self.table, self.key):
            return False
        if change.before is None or change.after is None:
            return True
        return self.column is not None and change.before[self.column] != change.after[self.column]


@dataclass(frozen=True)
class Rows:
    """Which rows have certain values, and what each of them has in `columns`."""

    table: str
    equal: tuple[tuple[str, Any], ...]
    columns: tuple[str, ...] = ()

    def is_touched(self, change: Change) -> bool:
        return change.table == self.table and self._answer(change.before) != self._answer(change.after)

    def _answer(self, row: Values | None) -> tuple[Any, ...] | None:
        if row is None or any(row[name] != value for name, value in self.equal):
            return None
        return tuple(row[name] for name in self.columns)


Question = Cell | Rows


@dataclass
class Look:
    """Rows, and what is asked about them. `until` is the first hour at which the answer to `passed` is another one."""

    state: State
    hour: float
    answers: dict[Question, Any] = field(default_factory=dict)
    until: int | None = None

    @property
    def asked(self) -> set[Question]:
        return set(self.answers)

    def cell(self, table: str, key: Key, column: str) -> Any:
        found = self.answers[Cell(table, key, column)] = self.state[table][key][column]
        return found

    def is_there(self, table: str, key: Key) -> bool:
        found = key in self.state[table]
        self.answers[Cell(table, key, None)] = found
        return found

    def keys(self, table: str, columns: tuple[str, ...] = (), **equal: Any) -> list[Key]:
        rows = self.state[table]
        matching = sorted(key for key, row in rows.items() if all(row[name] == value for name, value in equal.items()))
        self.answers[Rows(table, tuple(equal.items()), columns)] = [
            (key, *(rows[key][column] for column in columns)) for key in matching
        ]
        return matching

    def passed(self, hour: int) -> bool:
        if hour <= self.hour:
            return True
        self.until = hour if self.until is None else min(hour, self.until)
        return False


# What the model's calculations are, once more.


def _tags(look: Look, item: Key) -> list[Key]:
    return sorted(tag for _, tag in look.keys("item_tag", item_id=item) if look.is_there("tag", tag))


def _goods(look: Look, item: Key) -> int:
    parts = look.keys("part", item_id=item)
    counted = sum(look.cell("part", part, "count") * look.cell("part", part, "price") for part in parts)
    return int(look.cell("item", item, "amount") + counted)


def _worth(look: Look, item: Key) -> int:
    worth = int(look.cell("item", item, "goods"))
    if look.cell("item", item, "active"):
        worth += sum(look.cell("tag", tag, "weight") for tag in _tags(look, item))
    return worth


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
    badges. Those of a tree read what others of the same kind write. `tables` are those that it ever reads."""

    name: str
    table: str
    column: str | None
    calculate: Callable[[Look, Key], Any]
    tables: Sequence[str]
    is_tree: bool = False
    has: Callable[[Values], bool] = _each

    def is_there(self, state: State, key: Key) -> bool:
        """Whether there is such a cache."""
        return self.is_of(state[self.table].get(key))

    def is_of(self, row: Values | None) -> bool:
        return row is not None and self.has(row)


DEFINITIONS = (
    Definition("Item.goods", "item", "goods", _goods, ("item", "part")),
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
        for key in _feeders_first(definition, state):
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


def _feeders_first(definition: Definition, state: State) -> list[Key]:
    """Parents have smaller keys than their children here."""
    found = (key for key in state[definition.table] if definition.is_there(state, key))
    return sorted(found, reverse=definition.name == "Node.total")


@dataclass
class Expected:
    """How often each cache has to run: exactly, but for trees. Within those, which of several stale ones comes first is
    the server's to choose, and a value may be calculated again after one of those that it is made of. `must` are the
    ones in a tree that run at least once, `own` those of them for which there is a reason outside of the tree."""

    exactly: Counter[Cache] = field(default_factory=Counter)
    must: set[Cache] = field(default_factory=set)
    own: set[Cache] = field(default_factory=set)

    def complaints(self, ran: Counter[Cache], state: State) -> list[str]:
        """What is wrong with how often each has run, which left these rows."""
        complaints_so_far = []
        for cache in sorted({*ran, *self.exactly, *self.must}):
            least, most = self._bounds(cache, ran, state)
            if not least <= ran[cache] <= most:
                complaints_so_far.append(f"{cache} ran {ran[cache]} times, not {least} to {most}")
        return complaints_so_far

    def _bounds(self, cache: Cache, ran: Counter[Cache], state: State) -> tuple[int, int]:
        name, key = cache
        if BY_NAME[name].is_tree:
            return cache in self.must, (cache in self.own) + sum(ran[name, other] for other in _fed_by(cache, state))
        exactly = self.exactly[cache]
        if name == "Node.mark" and (ran["Node.total", key] or ran["Node.level", key]):
            return exactly, 1  # a value in a tree may have been another one for a while
        return exactly, exactly


def _fed_by(cache: Cache, state: State) -> list[Key]:
    """The nodes whose values of the same kind one is made of."""
    name, key = cache
    nodes = state["node"]
    if name == "Node.total":
        return [child for child, row in nodes.items() if row["parent_id"] == key]
    parent = nodes[key]["parent_id"] if key in nodes else None
    return [] if parent is None else [parent]


class Oracle:
    """Follows what is committed, and says what a server has to do about it.

    `questions` has what each cache asked when it last ran, `possible` all that it may have asked since the last quiet
    moment: where a server was interrupted, nobody knows at which of the states in between it has run.
    """

    def __init__(self) -> None:
        self.questions: dict[Cache, set[Question]] = {}
        self.answers: dict[Cache, dict[Question, Any]] = {}
        self.until: dict[Cache, int] = {}
        self.possible: dict[Cache, set[Question]] = {}
        self.pending: list[Change] = []
        self.since_quiet: list[Change] = []
        self.passed_since_quiet: set[Cache] = set()

    def committed(self, changes: Iterable[Change], state: State, hour: float) -> None:
        """A transaction was committed, and this is how things are by now."""
        changes = list(changes)
        self.pending += changes
        self.since_quiet += changes
        self.note_possible(state, hour)

    def note_possible(self, state: State, hour: float) -> None:
        for cache, look in self._looks(state, hour):
            self.possible.setdefault(cache, set()).update(look.asked)

    def quiet(self, state: State, hour: float) -> None:
        """Everything is fresh. Start from what is there."""
        self.pending, self.since_quiet, self.passed_since_quiet = [], [], set()
        looks = dict(self._looks(state, hour))
        self.questions = {cache: look.asked for cache, look in looks.items()}
        self.answers = {cache: look.answers for cache, look in looks.items()}
        self.possible = {cache: set(look.asked) for cache, look in looks.items()}
        self.until = {cache: look.until for cache, look in looks.items() if look.until is not None}

    def run(self, state: State, hour: float) -> tuple[Expected, State]:
        """What a server does that nobody interrupts, and the rows that it leaves."""
        self.passed_since_quiet |= self._passed(hour)
        return _Simulation(self, state, hour).run()

    def certainly_stale(self, state: State, hour: float) -> set[Cache]:
        """The caches for which some answer is another one than at the last quiet moment."""
        found = {cache for cache, look in self._looks(state, hour) if self.answers.get(cache) != look.answers}
        return {(name, key) for name, key in found if BY_NAME[name].calculate(Look(state, hour), key) is not HIDDEN}

    def possibly_stale(self, hour: float) -> set[Cache]:
        """The caches that may have run since the last quiet moment, whatever has happened in between."""
        due = set(new_caches(self.since_quiet)) | touched(self.possible, self.since_quiet)
        due |= set(overwritten(self.since_quiet))
        due |= self.passed_since_quiet | self._passed(hour)
        while more := touched(self.possible, [_written(cache) for cache in due if BY_NAME[cache[0]].column]) - due:
            due |= more
        return due

    def _passed(self, hour: float) -> set[Cache]:
        """The caches whose moment has come."""
        return {cache for cache, until in self.until.items() if until <= hour}

    def _looks(self, state: State, hour: float) -> Iterator[tuple[Cache, Look]]:
        for definition in DEFINITIONS:
            for key in _feeders_first(definition, state):
                look = Look(state, hour)
                definition.calculate(look, key)
                yield (definition.name, key), look


class _Simulation:
    def __init__(self, oracle: Oracle, state: State, hour: float) -> None:
        self.oracle = oracle
        self.state = {table: {key: dict(row) for key, row in rows.items()} for table, rows in state.items()}
        self.hour = hour
        self.due: set[Cache] = set()
        self.expected = Expected()

    def run(self) -> tuple[Expected, State]:
        oracle = self.oracle
        self.due |= {cache for cache, until in oracle.until.items() if until <= self.hour}
        self._match(oracle.pending)
        self.due |= {cache for cache in overwritten(oracle.pending) if self._is_there(cache)}
        oracle.pending = []
        for definition in DEFINITIONS:
            if definition.is_tree:
                self.expected.own |= {cache for cache in self.due if cache[0] == definition.name}
            for key in _feeders_first(definition, self.state):
                cache = definition.name, key
                if cache in self.due:
                    self._calculate(definition, key)
            assert not any(name == definition.name for name, _ in self.due), "feeders come first"
        return self.expected, self.state

    def _calculate(self, definition: Definition, key: Key) -> None:
        cache = definition.name, key
        self.due.discard(cache)
        look = Look(self.state, self.hour)
        value = definition.calculate(look, key)
        self.oracle.questions[cache] = look.asked
        self.oracle.until.pop(cache, None)
        if look.until is not None:
            self.oracle.until[cache] = look.until
        if definition.is_tree:
            self.expected.must.add(cache)
        elif value is not HIDDEN:
            self.expected.exactly[cache] += 1
        row = self.state[definition.table][key]
        if definition.column is not None and value is not HIDDEN and row[definition.column] != value:
            before = dict(row)
            row[definition.column] = value
            self._match([Change(definition.table, key, before, dict(row))])

    def _match(self, changes: Sequence[Change]) -> None:
        oracle = self.oracle
        self.due |= touched(oracle.questions, changes)
        self.due |= set(new_caches(changes))
        for cache in [*oracle.questions, *self.due]:
            if not self._is_there(cache):
                self.due.discard(cache)
                oracle.questions.pop(cache, None)
                oracle.until.pop(cache, None)

    def _is_there(self, cache: Cache) -> bool:
        return BY_NAME[cache[0]].is_there(self.state, cache[1])


def new_caches(changes: Iterable[Change]) -> Iterator[Cache]:
    """The caches of objects that came to be."""
    for change in changes:
        for definition in DEFINITIONS:
            if change.table != definition.table or change.emptied:
                continue
            if definition.is_of(change.after) and not definition.is_of(change.before):
                yield definition.name, change.key


def overwritten(changes: Iterable[Change]) -> Iterator[Cache]:
    """The caches whose value was changed by somebody else."""
    for change in changes:
        if change.before is None or change.after is None:
            continue
        for definition in DEFINITIONS:
            column = definition.column
            if change.table == definition.table and column and change.before[column] != change.after[column]:
                yield definition.name, change.key


def touched(questions: Mapping[Cache, set[Question]], changes: Iterable[Change]) -> set[Cache]:
    """The caches that asked what these changes touch."""
    by_table: dict[str, list[Change]] = {}
    for change in changes:
        by_table.setdefault(change.table, []).append(change)
    return {
        (name, key)
        for (name, key), asked in questions.items()
        for table in BY_NAME[name].tables
        if any(_is_touched(asked, change) for change in by_table.get(table, ()))
    }


def _is_touched(asked: set[Question], change: Change) -> bool:
    # Nobody can say which rows there were before a TRUNCATE.
    return change.emptied or any(question.is_touched(change) for question in asked)


def _written(cache: Cache) -> Change:
    """The change of whatever is stored to whatever it may be."""
    name, key = cache
    definition = BY_NAME[name]
    assert definition.column is not None
    before, after = _Partly({definition.column: object()}), _Partly({definition.column: object()})
    return Change(definition.table, key, before, after)


class _Partly(dict[str, Any]):
    """A row of which nothing else is known, and nothing else changes."""

    def __missing__(self, column: str) -> None:
        return None

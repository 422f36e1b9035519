"""What must come of it all, found out by plain Python over rows. It shares nothing with the library.

A calculation looks at rows through `Look`, which notes each question that it asks. A change of one row touches a
question if its answer is another one before and after. So what runs is known: the caches with a question that was
touched.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.properties.caches.definitions import BY_NAME, DEFINITIONS, HIDDEN, Definition, feeders_first
from tests.properties.caches.looks import Cache, Change, Key, Look, Question, State


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
        """The caches for which some answer is another one than at the last quiet moment, if their runs are kept."""
        found = {cache for cache, look in self._looks(state, hour) if self.answers.get(cache) != look.answers}
        kept = {(name, key) for name, key in found if not BY_NAME[name].is_in_sets}
        return {(name, key) for name, key in kept if BY_NAME[name].calculate(Look(state, hour), key) is not HIDDEN}

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
            for key in feeders_first(definition, state):
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
            for key in feeders_first(definition, self.state):
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

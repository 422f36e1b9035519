"""The diagram of a state machine as SVG. The row of a state is its number of steps from the first state.

The library that runs the machine extracts its states; drawing them needs no other program.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from types import MappingProxyType
from typing import Any

from statemachine import StateChart
from statemachine.contrib.diagram.extract import extract
from statemachine.contrib.diagram.model import DiagramState, DiagramTransition, StateType

from afterwork.insight.machines import MachineView
from afterwork.pictures.drawing import drawn
from afterwork.store.bounded_count import Count

LETTER, SMALL_LETTER = 7.2, 6.4
HEIGHT = 34.0
GAP_X, GAP_Y = 90.0, 64.0
INSET, TITLE = 18.0, 24.0


@dataclass
class Box:
    """A state and its position. Sizes and positions are in pixels, positions are those of the upper left corner."""

    state: DiagramState
    width: float
    height: float
    inner: list["Box"] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0

    def move(self, x: float, y: float) -> None:
        self.x += x
        self.y += y
        for box in self.inner:
            box.move(x, y)

    def all(self) -> Iterator["Box"]:
        yield self
        for box in self.inner:
            yield from box.all()


def machine_diagram(chart: type[StateChart[Any]], view: MachineView, href: Callable[[str], str] | None = None) -> str:
    """Return the diagram of a machine with the number of objects in each state. `href` links states that objects can
    be in."""
    hrefs = {state.active[-1]: href(state.state) for state in view.states if href and state.state and state.active}
    counts: dict[str, Count] = defaultdict(lambda: Count(0))
    for view_of_state in view.states:
        for state in view_of_state.active:  # outer states included
            counts[state] += view_of_state.count
    return chart_diagram(chart, counts, hrefs)


def chart_diagram(
    chart: type[StateChart[Any]],
    counts: Mapping[str, Count] | None = None,
    hrefs: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the diagram of a machine as an SVG without style.

    `counts` are the numbers of objects by the id of their state, `hrefs` the links of states.
    """
    graph = extract(chart)
    boxes = _placed(graph.states, graph.transitions, counts or {})
    known = {box.state.id: box for top in boxes for box in top.all()}
    aside = _room_for_labels(graph.transitions, known)
    for box in boxes:
        box.move(aside, 0)
    width = max((box.x + box.width for box in boxes), default=0.0) + INSET
    height = max((box.y + box.height for box in boxes), default=0.0) + INSET
    parts = [
        *(part for box in boxes for part in _drawn(box, counts or {}, hrefs)),
        *_edges(graph.transitions, known),
    ]
    return drawn(graph.name, parts, width + GAP_X, height)


def _room_for_labels(transitions: list[DiagramTransition], known: Mapping[str, Box]) -> float:
    """Return how far to move all boxes right, so that labels at the left edge are not cut off."""
    sticks_out = (
        len(_label(transition)) * SMALL_LETTER / 2 - known[transition.source].x - known[transition.source].width / 2
        for transition in transitions
        if transition.source in known
    )
    return max([0.0, *sticks_out])


def _placed(states: list[DiagramState], transitions: list[DiagramTransition], counts: Mapping[str, Count]) -> list[Box]:
    """Return the boxes of some states beside and below each other, the first at (INSET, INSET)."""
    boxes = [_box(state, transitions, counts) for state in states]
    rows: dict[int, list[Box]] = {}
    for box, rank in zip(boxes, _ranks(boxes, transitions), strict=True):
        rows.setdefault(rank, []).append(box)  # regions that are parallel are all in the first
    y = INSET
    for rank in sorted(rows):
        x = INSET
        for box in rows[rank]:
            box.move(x, y)
            x += box.width + GAP_X
        y += max(box.height for box in rows[rank]) + GAP_Y
    return boxes


def _box(state: DiagramState, transitions: list[DiagramTransition], counts: Mapping[str, Count]) -> Box:
    shown = f"{state.id} {counts[state.id]}" if state.id in counts else state.id
    width = max(64.0, len(shown) * LETTER + 28)
    if not state.children:
        return Box(state, width, HEIGHT)
    inner = _placed(state.children, transitions, counts)
    for box in inner:
        box.move(0, TITLE)
    return Box(
        state,
        max(width, *(box.x + box.width + INSET for box in inner)),
        max(box.y + box.height + INSET for box in inner),
        inner,
    )


def _ranks(boxes: list[Box], transitions: list[DiagramTransition]) -> list[int]:
    """Return the number of steps of each box from the first; unreachable ones are in the first row."""
    place = {inner.state.id: number for number, box in enumerate(boxes) for inner in box.all()}
    steps = {
        (place[transition.source], place[target])
        for transition in transitions
        for target in transition.targets
        if transition.source in place and target in place
    }
    ranks = {0: 0}
    row = [0]
    while row:
        row = sorted({target for source, target in steps if source in row and target not in ranks})
        ranks |= dict.fromkeys(row, max(ranks.values()) + 1)
    return [ranks.get(number, 0) for number in range(len(boxes))]


def _drawn(box: Box, counts: Mapping[str, Count], hrefs: Mapping[str, str]) -> Iterator[str]:
    state, has_inner = box.state, bool(box.inner)
    kind = "area" if has_inner else "state"
    final = " final" if state.type is StateType.FINAL else ""
    href = hrefs.get(state.id)
    if href is not None:
        yield f'<a href="{escape(href)}">'
    yield (
        f'<rect class="{kind}{final}" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="8"/>'
    )
    if state.is_initial or state.type is StateType.INITIAL:
        yield f'<circle class="first" cx="{box.x:.1f}" cy="{box.y:.1f}" r="5"/>'
    number = f' <tspan class="count">{counts[state.id]}</tspan>' if state.id in counts else ""
    y = box.y + (16 if has_inner else box.height / 2 + 4)
    x, anchor = (box.x + 12, "start") if has_inner else (box.x + box.width / 2, "middle")
    yield f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(state.id)}{number}</text>'
    if href is not None:
        yield "</a>"
    for inner in box.inner:
        yield from _drawn(inner, counts, hrefs)


def _edges(transitions: list[DiagramTransition], known: Mapping[str, Box]) -> Iterator[str]:
    between: dict[tuple[str, str], int] = {}
    for transition in transitions:
        for target in transition.targets:
            if transition.is_initial or transition.source not in known or target not in known:
                continue
            number = between.setdefault((transition.source, target), 0)
            between[transition.source, target] += 1
            yield from _edge(known[transition.source], known[target], _label(transition), number)


def _label(transition: DiagramTransition) -> str:
    guards = " and ".join(transition.guards)
    event = transition.event.lower().replace(" ", "_")  # as the code has it
    return " ".join(filter(None, [event, f"[{guards}]" if guards else ""]))


def _edge(source: Box, target: Box, label: str, number: int) -> Iterator[str]:
    """Draw an arrow: straight along a row, downwards to the next one, else along the right side."""
    shift = 14.0 * number
    middle_of_source, middle_of_target = source.x + source.width / 2, target.x + target.width / 2
    below = target.y - source.y - source.height
    if target.y == source.y and target.x > source.x:
        x1, x2, y1 = source.x + source.width, target.x, source.y + source.height / 2 + shift
        path, x, y = f"M{x1:.1f} {y1:.1f}H{x2:.1f}", (x1 + x2) / 2, y1 - 6
    elif 0 < below < GAP_Y * 1.5:
        x1, y1, x2, y2 = middle_of_source + shift, source.y + source.height, middle_of_target + shift, target.y
        bend = (y2 - y1) / 2
        path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
        x, y = (x1 + x2) / 2, (y1 + y2) / 2 + 4 + shift
    else:
        x1, y1 = source.x + source.width, source.y + source.height / 2 + shift
        x2, y2 = target.x + target.width, target.y + target.height / 2 + 6 + shift
        side = max(x1, x2) + 46 + shift
        path = f"M{x1:.1f} {y1:.1f}C{side:.1f} {y1:.1f} {side:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        x, y = side - 12, (y1 + y2) / 2 + 4
    yield f'<path class="edge" marker-end="url(#head)" d="{path}"/>'
    if label:
        yield f'<text class="label" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(label)}</text>'

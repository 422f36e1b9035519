"""The class diagram of a model: classes with members, and associations with multiplicities."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from statistics import fmean
from typing import TypeVar

from afterwork.insight.model import ClassView, MemberView, ModelView
from afterwork.pictures.drawing import Frame, Line, drawn, height_of, stacked

MAX_MEMBERS = 10
"""The most members that a class shows. The list below the diagram has all."""

GAP_X, GAP_Y, EDGE = 96.0, 26.0, 14.0
LOOP = 34.0
"""The reach of lines that lead back to the same column, in pixels."""


@dataclass(frozen=True)
class DiagramLink:
    """A line between two classes, with labels at its ends. `kind` is "association" or "inheritance"."""

    source: str
    target: str
    at_source: str
    at_target: str
    kind: str


@dataclass
class Ports:
    """The points where lines meet the sides of frames, each at a height of its own."""

    ends: dict[tuple[str, str], list[DiagramLink]] = field(default_factory=lambda: defaultdict(list))

    def add(self, cls: str, side: str, link: DiagramLink) -> None:
        self.ends[cls, side].append(link)

    def height(self, frame: Frame, cls: str, side: str, link: DiagramLink) -> float:
        links = self.ends[cls, side]
        return frame.y + frame.height * (links.index(link) + 1) / (len(links) + 1)


def class_diagram(model: ModelView, href: Callable[[str], str]) -> str:
    """Return the diagram as an SVG without style. `href` returns the link of a class."""
    links = list(_links(model))
    linked = {end for link in links for end in (link.source, link.target)}
    by_name = {cls.name: cls for cls in model.classes}
    frames = {name: _frame(cls, href(name)) for name, cls in by_name.items()}
    columns = layered(sorted(linked), [(link.source, link.target) for link in links if link.source != link.target])
    width, height = _placed([[frames[name] for name in column] for column in columns])
    alone = [frames[name] for name in sorted(by_name.keys() - linked)]
    width, height = _beside(alone, max(width, 900.0), width, height)
    boxes = (part for frame in frames.values() for part in frame.parts())
    return drawn("The classes of the model", [*_edges(links, frames), *boxes], width, height)


def _links(model: ModelView) -> Iterator[DiagramLink]:
    for association in model.associations:
        few, many = association.ends
        yield DiagramLink(few.cls, many.cls, few.multiplicity, many.multiplicity, "association")
    for cls in model.classes:
        if cls.base is not None:
            yield DiagramLink(cls.base, cls.name, "", "", "inheritance")


def _frame(cls: ClassView, href: str) -> Frame:
    shown = cls.members[:MAX_MEMBERS]
    lines = [_line(member) for member in shown]
    rest = len(cls.members) - len(shown)
    if rest:
        lines.append(Line(f"and {rest} more"))
    lines += [Line(f"{method.name.partition('.')[2]}()") for method in cls.methods]
    return Frame(Line(cls.name, href=href), lines)


def _line(member: MemberView) -> Line:
    kind = member.type + ("?" if member.is_optional and not member.is_key else "")
    return Line(f"/{member.name}" if member.cache else member.name, f"{kind}, key" if member.is_key else kind)


def _placed(columns: Sequence[Sequence[Frame]]) -> tuple[float, float]:
    """Place columns beside each other. Returns the width and height of all."""
    total = max((height_of(column, GAP_Y) for column in columns), default=0.0)
    x = EDGE
    for column in columns:
        x += stacked(column, x, GAP_Y, total + 2 * EDGE) + GAP_X
    return x - GAP_X + LOOP + EDGE if columns else EDGE, total + 2 * EDGE if columns else EDGE


def _beside(frames: Sequence[Frame], max_width: float, width: float, height: float) -> tuple[float, float]:
    """Place frames without links in rows below. Returns the width and height of all."""
    x, y, row = EDGE, height, 0.0
    for frame in frames:
        if x > EDGE and x + frame.width + EDGE > max_width:
            x, y, row = EDGE, y + row + GAP_Y, 0.0
        frame.x, frame.y = x, y
        x, row = x + frame.width + GAP_Y, max(row, frame.height)
        width = max(width, x - GAP_Y + EDGE)
    return width, y + row + EDGE if frames else height


def _edges(links: Sequence[DiagramLink], frames: Mapping[str, Frame]) -> Iterator[str]:
    ports = Ports()
    for link in sorted(links, key=lambda link: frames[link.target].middle):
        ports.add(link.source, "right", link)
    for link in sorted(links, key=lambda link: frames[link.source].middle):
        ports.add(link.target, "left" if _leads_on(link, frames) else "right", link)
    for link in links:
        yield from _edge(link, frames, ports)


def _leads_on(link: DiagramLink, frames: Mapping[str, Frame]) -> bool:
    return frames[link.target].x > frames[link.source].x


def _edge(link: DiagramLink, frames: Mapping[str, Frame], ports: Ports) -> Iterator[str]:
    source, target = frames[link.source], frames[link.target]
    on = _leads_on(link, frames)
    x1, x2 = source.x + source.width, target.x if on else target.x + target.width
    y1 = ports.height(source, link.source, "right", link)
    y2 = ports.height(target, link.target, "left" if on else "right", link)
    if source is target:
        y1, y2 = source.middle - 12, source.middle + 12
    bend = (x1 + x2) / 2 if on else max(x1, x2) + LOOP
    marker = ' marker-start="url(#base)"' if link.kind == "inheritance" else ""
    curve = f"M{x1:.1f} {y1:.1f}C{bend:.1f} {y1:.1f} {bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    yield f'<path class="edge"{marker} d="{curve}"/>'
    yield from _label(link.at_source, x1 + 5, y1 - 4, "start")
    yield from _label(link.at_target, x2 - 5 if on else x2 + 5, y2 - 4, "end" if on else "start")


def _label(text: str, x: float, y: float, anchor: str) -> Iterator[str]:
    if text:
        yield f'<text class="label" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


Node = TypeVar("Node", bound=Hashable)

SWEEPS = 4


def layered(nodes: Sequence[Node], edges: Sequence[tuple[Node, Node]]) -> list[list[Node]]:
    """Return the nodes in columns: each to the right of its predecessors, except for cycles, and near its
    neighbours."""
    straight = _without_cycles(nodes, edges)
    ranks = _ranks(nodes, straight)
    columns: list[list[Node]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for node in nodes:
        columns[ranks[node]].append(node)
    near: dict[Node, list[Node]] = defaultdict(list)
    for source, target in edges:
        near[source].append(target)
        near[target].append(source)
    for _ in range(SWEEPS):
        for column in columns:
            place = {node: (row + 0.5) / len(nodes) for nodes in columns for row, node in enumerate(nodes)}
            column.sort(key=lambda node: fmean(map(place.__getitem__, near[node])) if near[node] else place[node])
    return [column for column in columns if column]


def _without_cycles(nodes: Sequence[Node], edges: Sequence[tuple[Node, Node]]) -> list[tuple[Node, Node]]:
    """Return the edges without back edges, as a depth-first search from the left finds them."""
    onward: dict[Node, list[Node]] = defaultdict(list)
    for source, target in edges:
        onward[source].append(target)
    kept: list[tuple[Node, Node]] = []
    done: set[Node] = set()

    def visit(node: Node, path: tuple[Node, ...]) -> None:
        for target in onward[node]:
            if target not in (*path, node):
                kept.append((node, target))
                if target not in done:
                    visit(target, (*path, node))
        done.add(node)

    into = {target for source, target in edges if source != target}
    for node in sorted(nodes, key=lambda node: node in into):
        if node not in done:
            visit(node, ())
    return kept


def _ranks(nodes: Sequence[Node], edges: Sequence[tuple[Node, Node]]) -> Mapping[Node, int]:
    """Return the column of each node. Nodes without predecessors are moved next to their first successor."""
    ranks = dict.fromkeys(nodes, 0)
    for _ in nodes:
        for source, target in edges:
            ranks[target] = max(ranks[target], ranks[source] + 1)
    first = set(nodes) - {target for _, target in edges}
    for node in first:
        ranks[node] = min((ranks[target] - 1 for source, target in edges if source == node), default=0)
    return ranks

"""The diagram of everything derived: classes with the members that are read to the left, derivations by level."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from afterwork.insight.derived_graph import DerivedNode, GraphView
from afterwork.pictures.drawing import Frame, Line, arrow, drawn, height_of, stacked

GAP_X, GAP_Y, EDGE = 90.0, 18.0, 12.0

HEATS = (0.5, 0.1, 0.0)
"""Shares of the busiest derivation's time, above which another one has the third, second or first degree of heat."""


@dataclass(frozen=True)
class GraphHrefs:
    """The links of the diagram: to a work, the stale objects of a cache, a class, and what a member affects."""

    work: Callable[[str], str]
    stale: Callable[[str], str]
    cls: Callable[[str], str]
    member: Callable[[str], str]


def derived_diagram(view: GraphView, member: str | None, hrefs: GraphHrefs) -> str:
    """Return the diagram as an SVG. What a change of `member` affects stands out."""
    affected = set(view.graph.affected_by(member)) if member else set()
    classes = {cls: _class_frame(cls, view.graph.sources, member, hrefs) for cls in _classes(view.graph.sources)}
    frames = {node.name: _frame(node, view, affected, hrefs) for node in view.graph.nodes.values()}
    levels = sorted({node.level for node in view.graph.nodes.values()})
    by_level = [[frames[node.name] for node in view.graph.nodes.values() if node.level == level] for level in levels]
    width, height = _place([column for column in (list(classes.values()), *by_level) if column])
    edges = _edges(view, classes, frames, affected, member)
    parts = (part for frame in (*classes.values(), *frames.values()) for part in frame.parts())
    return drawn("Everything derived, and what feeds it", [*edges, *parts], width, height)


def _place(columns: Sequence[Sequence[Frame]]) -> tuple[float, float]:
    """Place the columns beside each other. Returns the size of the whole."""
    total = max((height_of(column, GAP_Y) for column in columns), default=0.0) + 2 * EDGE
    x = EDGE
    for column in columns:
        x += stacked(column, x, GAP_Y, total) + GAP_X
    return max(EDGE, x - GAP_X + EDGE), total


def _edges(
    view: GraphView,
    classes: dict[str, Frame],
    frames: dict[str, Frame],
    affected: Collection[str],
    member: str | None,
) -> Iterator[str]:
    for node in view.graph.nodes.values():
        for cls in _classes([read for read in node.reads if read in set(view.graph.sources)]):
            is_touched = member in node.reads and _class_of(member or "") == cls
            yield arrow(classes[cls], frames[node.name], "touched" if is_touched else "")
        for feeder in node.fed_by:
            if frames[feeder].x < frames[node.name].x:
                yield arrow(
                    frames[feeder], frames[node.name], "touched" if {feeder, node.name} <= set(affected) else ""
                )


def _classes(members: Sequence[str]) -> Sequence[str]:
    return sorted({_class_of(member) for member in members})


def _class_of(member: str) -> str:
    return member.partition(".")[0]


def _class_frame(cls: str, sources: Sequence[str], member: str | None, hrefs: GraphHrefs) -> Frame:
    own = [source for source in sources if _class_of(source) == cls]
    lines = [
        Line(
            source.partition(".")[2] or "which exist",
            "",
            hrefs.member(source),
            "stale" if source == member else None,
        )
        for source in own
    ]
    return Frame(Line(cls, "", hrefs.cls(cls)), lines)


def _frame(node: DerivedNode, view: GraphView, affected: Collection[str], hrefs: GraphHrefs) -> Frame:
    cache, runs = view.caches[node.name], view.runs.get(node.name)
    state = "failed" if cache.failed.number else "stale" if cache.stale.number else "fresh"
    stale = Line(f"{cache.stale} stale", f"of {cache.fresh + cache.stale}", hrefs.stale(node.name))
    lines = [stale] if not cache.failed.number else [stale, Line(f"{cache.failed} failed")]
    if runs is not None:
        lines.append(Line(f"{runs.ended:,} runs", "within an hour"))
    if node.writes is not None:
        lines.append(Line("what reads it", "", hrefs.member(node.writes)))
    kind = f"heat-{_heat(node.name, view)}" + (" touched" if node.name in affected else "")
    return Frame(Line(node.name, "", hrefs.work(node.name), state), lines, kind)


def _heat(name: str, view: GraphView) -> int:
    """Return the heat of a derivation: from 0, it took no time of the last hour, to 3, as much as the busiest."""
    busiest = max((runs.seconds for runs in view.runs.values()), default=0.0)
    seconds = view.runs[name].seconds if name in view.runs else 0.0
    return next((3 - place for place, share in enumerate(HEATS) if seconds > share * busiest), 0)

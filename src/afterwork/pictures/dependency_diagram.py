"""The dependency diagram of a cache: what it has read to its left, its readers to its right."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from afterwork.insight.dependencies import Dependencies, Dependency, DependencyGroup
from afterwork.pictures.drawing import Frame, Line, arrow, drawn, height_of, stacked

GAP_X, GAP_Y, EDGE = 72.0, 18.0, 12.0

MAX_OPEN = 5
"""Groups with more members than this are closed by default."""


@dataclass(frozen=True)
class Hrefs:
    """The links of a diagram. `toggle` gets the groups that are open afterwards."""

    cache: Callable[[str, str], str]
    toggle: Callable[[Collection[str]], str]


def key_of(side: str, group: DependencyGroup) -> str:
    """Return the key of a group in the set of open ones."""
    return group.name if side != "further" else f"further {group.name}"


def dependency_diagram(around: Dependencies, opened: Collection[str] | None, hrefs: Hrefs) -> str:
    """Return the diagram as an SVG. `opened` are the groups whose members are shown; None opens the small ones."""
    sides = {"reads": around.reads, "readers": around.readers, "further": around.further}
    keys = {key_of(side, group): group for side, groups in sides.items() for group in groups}
    shown = {key for key, group in keys.items() if group.count.number <= MAX_OPEN} if opened is None else set(opened)
    columns = {
        side: [_frame(key_of(side, dependency), dependency, shown, hrefs) for dependency in groups]
        for side, groups in sides.items()
    }
    title = Line(around.name, "", None, around.state)
    middle = Frame(title, [Line(around.root_id)], "middle")
    return _laid_out(around, columns["reads"], middle, columns["readers"], columns["further"])


def _laid_out(
    around: Dependencies, reads: Sequence[Frame], middle: Frame, readers: Sequence[Frame], further: Sequence[Frame]
) -> str:
    columns = [column for column in (reads, [middle], readers, further) if column]
    total = max(height_of(column, GAP_Y) for column in columns)
    x = EDGE
    for column in columns:
        x += stacked(column, x, GAP_Y, total + 2 * EDGE) + GAP_X
    edges = [arrow(frame, middle) for frame in reads] + [arrow(middle, frame) for frame in readers]
    by_name = dict(zip((group.name for group in around.readers), readers, strict=True))
    above = dict(zip((group.name for group in around.further), further, strict=True))
    edges += [arrow(by_name[near], above[far]) for near, far in around.onward]
    frames = (part for column in columns for frame in column for part in frame.parts())
    return drawn(f"{around.name} of {around.root_id}", [*edges, *frames], x - GAP_X + EDGE, total + 2 * EDGE)


def _frame(key: str, group: DependencyGroup, shown: Collection[str], hrefs: Hrefs) -> Frame:
    is_open = key in shown
    href = hrefs.toggle(set(shown) ^ {key})
    title = Line(f"{'▾' if is_open else '▸'} {group.name}", f"{group.count} ×", href)
    return Frame(title, list(_lines(group, hrefs)) if is_open else [])


def _lines(group: DependencyGroup, hrefs: Hrefs) -> Iterator[Line]:
    for member in group.listed:
        yield Line(member.label, ", ".join(member.members), _href(member, hrefs), member.state)
    rest = group.count.number - len(group.listed)
    if rest or group.count.or_more:
        yield Line(f"and {rest:,}{'+' if group.count.or_more else ''} more")


def _href(dependency: Dependency, hrefs: Hrefs) -> str | None:
    return (
        None
        if dependency.cache is None or dependency.root_id is None
        else hrefs.cache(dependency.cache, dependency.root_id)
    )

"""The command about everything derived."""

from collections.abc import Iterator
from pathlib import Path

import click

from afterwork.app import Afterwork
from afterwork.cli.arguments import OpenedLate, Shown, command
from afterwork.cli.printing import table_lines
from afterwork.errors import NotThere, shown
from afterwork.insight.derived_graph import DerivedNode, GraphView
from afterwork.model.known_names import instead_of
from afterwork.pictures.drawing import styled

HEAD = ("derived", "stale", "failed", "runs in an hour", "mean ms", "reads", "fed by")


@command(
    click.option("--member", metavar="MEMBER", help="Show what a change of this would affect: OrderLine.quantity."),
    click.option(
        "--svg", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write the graph as a picture."
    ),
)
def graph(app: Afterwork, at: OpenedLate, member: str | None, svg: Path | None) -> Shown:
    """Show everything derived: what each derivation reads, what feeds it, how stale and how busy it is."""
    view = app.insight(at.engine).graph()
    if member is not None and member not in view.graph.members:
        known = instead_of(member, view.graph.members, verb="It knows", listed_by="graph")
        raise NotThere(f"Nothing derived reads or writes {shown(member)}, as far as runs have. {known}")
    if svg is not None:
        _write(view, member, svg)
    return Shown(_affected_lines(view, member) if member else _lines(view), view)


def _write(view: GraphView, member: str | None, svg: Path) -> None:
    from afterwork.pictures.derived_diagram import GraphHrefs, derived_diagram  # as rarely needed as it is large

    nowhere = GraphHrefs(*[lambda name: f"#{name}"] * 4)
    svg.write_text(styled(derived_diagram(view, member, nowhere)), encoding="utf-8")
    click.echo(f"{svg} written", err=True)


def _lines(view: GraphView) -> Iterator[str]:
    nodes = sorted(view.graph.nodes.values(), key=lambda node: (node.level, node.name))
    yield from table_lines(HEAD, [_cells(view, node) for node in nodes], "The model derives nothing.")


def _cells(view: GraphView, node: DerivedNode) -> tuple[str, ...]:
    cache, runs = view.caches[node.name], view.runs.get(node.name)
    ran = ("0", "") if runs is None else (f"{runs.ended:,}", f"{(runs.mean or 0) * 1000:.1f}")
    return node.name, str(cache.stale), str(cache.failed), *ran, ", ".join(node.reads), ", ".join(node.fed_by)


def _affected_lines(view: GraphView, member: str) -> Iterator[str]:
    affected = view.graph.affected_by(member)
    if not affected:
        yield f"Nothing derived reads {member}."
        return
    yield f"If {member} changes, these may become stale, the nearest first:"
    for name in affected:
        cache = view.caches[name]
        yield f"  {name}, of {cache.fresh + cache.stale} objects"

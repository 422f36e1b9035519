"""Layout of a directed graph in columns from left to right, with few crossings."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean
from typing import TypeVar

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
            place = {
                node: (row + 0.5) / len(nodes_of_column)
                for nodes_of_column in columns
                for row, node in enumerate(nodes_of_column)
            }
            column.sort(
                key=lambda node: fmean(place[neighbour] for neighbour in near[node]) if near[node] else place[node]
            )
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

"""Who waits behind whom, as a tree: roots first, each waiting session once.

PostgreSQL names for each waiting session all that stand before it, those that are only queued before it included; drawn as it
is, that shows one session many times over. So an edge is left out where another way to the same session says it already, and
a session that truly waits for several stands under the one with most waiting behind it, and names the others.
Nothing here talks to a server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Edges = Mapping[int, Iterable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One session in the tree. `depth` 0 is a root. `victims_count` counts who waits behind it, near and far.

    `also_behind` are further sessions it waits for; `in_cycle` says that it waits, in the end, for itself.
    """

    pid: int
    depth: int
    victims_count: int
    parent: int | None
    also_behind: tuple[int, ...]
    in_cycle: bool


def tree(edges: Edges) -> tuple[Node, ...]:
    """The nodes in reading order, the root with most victims first. `edges` maps who waits to those it waits for.

    Cost: about the number of edges; 500 sessions in one queue, 125,000 edges, take some 0.1 s.
    """
    waits = {pid: frozenset(blockers) - {pid} for pid, blockers in edges.items()}
    waits = {pid: blockers for pid, blockers in waits.items() if blockers}
    ahead = _ahead(waits)
    near = {pid: blockers if pid in ahead[pid] else _nearest(blockers, ahead) for pid, blockers in waits.items()}
    victims: dict[int, int] = {}
    for pid, everyone in ahead.items():
        for blocker in everyone - {pid}:
            victims[blocker] = victims.get(blocker, 0) + 1
    return _arranged(near, ahead, victims)


def _ahead(waits: Mapping[int, frozenset[int]]) -> dict[int, frozenset[int]]:
    """For each that waits, everybody it waits for, directly or not; itself where it is in a cycle."""
    ahead: dict[int, frozenset[int]] = {}
    for start in sorted(waits, key=lambda pid: len(waits[pid])):
        seen: set[int] = set()
        pending = [start]
        while pending:
            for blocker in _farthest_first(waits.get(pending.pop(), frozenset()), ahead):
                if blocker not in seen:
                    seen.add(blocker)
                    known = ahead.get(blocker)
                    seen |= known or frozenset()
                    pending += [] if known else [blocker]
        ahead[start] = frozenset(seen)
    return ahead


def _farthest_first(blockers: Iterable[int], ahead: Mapping[int, frozenset[int]]) -> list[int]:
    """Who waits for most comes first: what it waits for needs no second look."""
    return sorted(blockers, key=lambda pid: -len(ahead.get(pid, ())))


def _nearest(blockers: frozenset[int], ahead: Mapping[int, frozenset[int]]) -> frozenset[int]:
    """Blockers that no other blocker waits for. Those that wait for each other (a cycle) all stay."""
    covered: set[int] = set()
    for blocker in _farthest_first(blockers, ahead):
        if blocker not in covered:
            covered |= ahead.get(blocker, frozenset())

    def stays(pid: int) -> bool:
        if pid not in covered:
            return True
        own = ahead.get(pid, frozenset())
        return pid in own and not any(pid in ahead.get(o, frozenset()) and o not in own for o in blockers)

    return frozenset(pid for pid in blockers if stays(pid))


def _arranged(
    near: Mapping[int, frozenset[int]], ahead: Mapping[int, frozenset[int]], victims: Mapping[int, int]
) -> tuple[Node, ...]:
    def weight(pid: int) -> tuple[int, int]:
        return -victims.get(pid, 0), pid

    def as_parent(pid: int) -> tuple[bool, int, int]:
        return pid in ahead.get(pid, frozenset()), *weight(pid)

    parents = {pid: min(blockers, key=as_parent) for pid, blockers in near.items()}
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    roots = sorted({pid for blockers in near.values() for pid in blockers if pid not in parents}, key=weight)
    placed: dict[int, Node] = {}

    def place(root: int) -> None:
        pending: list[tuple[int, int, int | None]] = [(root, 0, None)]
        while pending:
            pid, depth, parent = pending.pop()
            if pid in placed:
                continue
            placed[pid] = Node(
                pid=pid,
                depth=depth,
                victims_count=victims.get(pid, 0),
                parent=parent,
                also_behind=tuple(sorted(near.get(pid, frozenset()) - {parent})),
                in_cycle=pid in ahead.get(pid, frozenset()),
            )
            pending += [(child, depth + 1, pid) for child in sorted(children.get(pid, ()), key=weight, reverse=True)]

    for root in roots:
        place(root)
    for pid in sorted((pid for pid in parents if pid in ahead[pid]), key=weight):
        place(pid)  # a cycle has no root: it begins at the one with most waiting behind it
    return tuple(placed.values())

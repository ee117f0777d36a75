"""The list of keys: what one request looked at, as lines of a tree or a page of a list, with figures for what is visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.engine.target import Target
from apps.keyspace.coverage import Coverage, coverage
from apps.keyspace.glob import Glob
from apps.keyspace.positions import Position
from apps.keyspace.reads.look import Database, Look, look
from apps.keyspace.reads.rows import MOST_ROWS, KeyRow, Rows, rows
from apps.keyspace.tree import SEPARATOR, Growing, Line

# Longer names would not fit into an address; they are listed and cannot be opened.
MOST_OPENED_BYTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the list is asked for, checked."""

    glob: Glob
    key_type: str
    position: Position
    layout: str
    page: int
    opened: bytes

    @property
    def filtered(self) -> bool:
        return not self.glob.everything or bool(self.key_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLine:
    """A line of the list: a folder, or a key with its figures (None when they could not be asked for)."""

    line: Line
    row: KeyRow | None

    @property
    def above(self) -> bytes:
        """The folder that this folder is in: opening that one closes this."""
        name = self.line.name[: -len(SEPARATOR)]
        return name[: name.rfind(SEPARATOR) + 1]

    @property
    def can_open(self) -> bool:
        return len(self.line.name) <= MOST_OPENED_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """`stretch_count` keys were found in this stretch; `more_count` of its lines are not on this page."""

    coverage: Coverage
    look: Look
    lines: tuple[ListLine, ...]
    missing: tuple[tuple[str, str], ...]
    stretch_count: int
    more_count: int
    pages_count: int
    commands_count: int

    @property
    def databases(self) -> tuple[Database, ...]:
        return self.look.databases


def listing(target: Target, *, asked: Asked) -> Listing:
    """One page of keys of one node.

    Shape: Listing with at most 200 lines. Units: see Look and KeyRow.
    Cost: one stretch of `look` and, for the keys on the page, `rows`. Errors and source: theirs.
    """
    grown = Growing()
    taking = grown.take if asked.layout != "list" else _nothing
    seen = look(target, glob=asked.glob, key_type=asked.key_type, position=asked.position, taking=taking)
    lines, more_count = _lines(seen.names, grown, asked)
    described = rows(target, names=[line.name for line in lines if not line.is_folder])
    return Listing(
        coverage=coverage(seen, filtered=asked.filtered),
        look=seen,
        lines=tuple(_with_figures(lines, described)),
        missing=tuple(described.missing.items()),
        stretch_count=len(seen.names),
        more_count=more_count,
        pages_count=-(-len(seen.names) // MOST_ROWS) if asked.layout == "list" else 1,
        commands_count=seen.commands_count + described.commands_count,
    )


def _nothing(names: Sequence[bytes]) -> None:
    """A list is made of all names at the end."""


def _lines(names: Sequence[bytes], grown: Growing, asked: Asked) -> tuple[Sequence[Line], int]:
    if asked.layout != "list":
        tree = grown.tree(opened=asked.opened)
        return tree.lines, tree.more_count
    begin = (asked.page - 1) * MOST_ROWS
    page = sorted(names)[begin : begin + MOST_ROWS]
    return [Line(name=n, level=0, found_count=1, is_folder=False) for n in page], max(0, len(names) - begin - len(page))


def _with_figures(lines: Sequence[Line], described: Rows) -> list[ListLine]:
    return [ListLine(line=line, row=None if line.is_folder else described.by_name.get(line.name)) for line in lines]

"""What a concurrent rebuild that did not end leaves behind: an invalid index that every write keeps up and no query uses.

`<index>_ccnew` is the new one that was not finished, `<index>_ccold` the former one that was not removed. A run removes those
that came into being under its own hands, told apart by what stood there before; others are shown, and removed by a click.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from apps.engine.connections.postgres import postgres_node, sql
from apps.engine.contracts.action import Progress
from apps.engine.contracts.plan import Fact, say
from apps.engine.errors import EngineError
from apps.engine.target import Target
from apps.engine.text import plain
from apps.upkeep import relations
from apps.upkeep.relations import Leftover

NAMED = re.compile(r"_cc(new|old)[0-9]*$")
REMOVED_WITHIN_S = 30.0
Mark = tuple[int, str]  # a former index keeps its number and gets another name


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What a run left behind: removed again, or still there with the reason."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    why: str = ""

    @property
    def fact(self) -> Fact:
        if self.left:
            words = f"{', '.join(self.left)} could not be removed: {self.why} It takes room and time with every write."
            return Fact(label="Left behind", words=say(words), signal="warn")
        if self.removed:
            return Fact(label="Left behind", words=say(f"nothing: {', '.join(self.removed)} was removed again"))
        return Fact(label="Left behind", words=say("nothing"))


def marks(found: Iterable[Leftover]) -> frozenset[Mark]:
    return frozenset((each.oid, each.name) for each in found)


def dropped(schema: str, name: str) -> sql.Composed:
    return sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS ") + relations.qualified(schema, name)


def clean(
    target: Target, *, database: str, table_oid: int, stood_before: Collection[Mark], progress: Progress
) -> Cleaned:
    """Remove what came into being since `stood_before` was looked at. Never raises: what it could not do is told."""
    try:
        with postgres_node(target, database=database) as node:
            new = [each for each in relations.leftovers(node, table_oid) if (each.oid, each.name) not in stood_before]
    except EngineError as error:
        return Cleaned(left=("what it may have left",), why=f"the server could not be looked at ({error.message})")
    return _removed(new, database=database, progress=progress) if new else Cleaned()


def _removed(new: Iterable[Leftover], *, database: str, progress: Progress) -> Cleaned:
    removed: list[str] = []
    left: list[str] = []
    why = ""
    for each in new:
        try:
            with progress.postgres(database=database, timeout_s=REMOVED_WITHIN_S, lock_timeout_s=None) as node:
                node.rows(dropped(each.schema, each.name))
            removed.append(shown(each))
        except EngineError as error:
            left.append(shown(each))
            why = error.message
    return Cleaned(removed=tuple(removed), left=tuple(left), why=why)


def shown(each: Leftover) -> str:
    return plain(each.name.encode("utf-8", "surrogateescape"), most=63)

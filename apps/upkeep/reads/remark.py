"""A remark: what is worth saying about a figure, and how much it matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ORDER = ("crit", "warn", "info", "unknown", "ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """`signal` is crit, warn, info, unknown or ok. `short` stands in a heading, `why` is the sentence below it."""

    signal: str
    short: str
    why: str = ""

    @property
    def rank(self) -> int:
        return ORDER.index(self.signal)

    @property
    def is_trouble(self) -> bool:
        return self.signal in ("crit", "warn")


def worst(remarks: Iterable[Remark]) -> Remark | None:
    """The one to say first; None where nothing is to be said."""
    return min(remarks, key=lambda remark: remark.rank, default=None)


def ranked(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    return tuple(sorted(remarks, key=lambda remark: remark.rank))

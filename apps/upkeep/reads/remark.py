"""A remark: what is worth saying about a figure, and how much it matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from apps.engine import text

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


def bar_kind(signal: str) -> str:
    """The colour of a bar: only trouble has one."""
    return signal if signal in ("crit", "warn") else ""


def safe_name(name: str) -> str:
    """A name of the server inside a sentence or a title: hidden and reordering characters written out."""
    return text.plain(name.encode("utf-8", "surrogateescape"), most=300)

"""Originals: what a run changed or removed, kept before it was touched, so that undo can put it back.

A page is on disk before any of it is touched, and settled after: settled records were changed by the run, the others were not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import msgspec


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One original. `name` says whose, `content` puts it back, `place` where (a database, a node, a queue).

    `expires_at_ms` is when it would have ended by itself, in ms since 1970, None for never. `kind` is a word of the action.
    """

    name: bytes
    content: bytes
    place: str = ""
    expires_at_ms: int | None = None
    kind: str = ""


class Archive(ABC):
    """Where one run writes. Cost: one encrypted frame and one sync a page."""

    @abstractmethod
    def append(self, records: Sequence[Record]) -> int:
        """Keep originals; they are on disk when this returns the page's number. Errors: ArchiveFull before anything was written."""

    @abstractmethod
    def settle(self, page: int, touched: Sequence[int] | None = None) -> None:
        """Say which records of a page, by index, the run did change: all by default, none for ()."""

    @abstractmethod
    def unsettled(self) -> tuple[int, tuple[Record, ...]] | None:
        """The last page that an earlier try kept and never settled, or None: look at the server, then settle it."""


class Originals(ABC):
    """What an archive holds, read by an undo."""

    @abstractmethod
    def records(self) -> Iterator[Record]:
        """Every settled record in the order in which it was kept. A name that was kept twice comes twice. Bounded memory."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many settled records there are."""

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
    `part` is which transaction of its page it is in: all records of one were changed, or none.
    """

    name: bytes
    content: bytes
    place: str = ""
    expires_at_ms: int | None = None
    kind: str = ""
    part: int = 0


class Archive(ABC):
    """Where one run writes. Cost: one encrypted frame and one sync a page."""

    @abstractmethod
    def append(self, records: Sequence[Record]) -> int:
        """Keep originals; they are on disk when this returns the page's number. Errors: ArchiveFull before anything was written."""

    @abstractmethod
    def settle(self, page: int, touched: Sequence[int] | None = None) -> None:
        """Say which records of a page, by index, the run did change: all by default, none for ()."""

    @property
    @abstractmethod
    def settled_count(self) -> int:
        """How many records were changed so far, by earlier tries as well. Keep it with a checkpoint."""

    @abstractmethod
    def settled(self, after_count: int) -> Iterator[Record]:
        """The changed records after so many: what was done since a checkpoint, and is not to be done twice."""

    @abstractmethod
    def unsettled(self) -> tuple[int, tuple[Record, ...]] | None:
        """The last page that an earlier try kept and never settled, or None: look at the server, then settle it."""


class Originals(ABC):
    """What an archive holds, read by an undo."""

    @abstractmethod
    def records(self, *, newest_first: bool = False) -> Iterator[Record]:
        """Every settled record in the order in which it was kept, or against it. Bounded memory.

        A name that was kept twice comes twice: it came back in between. What is put back newest first is as it was last.
        """

    @property
    @abstractmethod
    def count(self) -> int:
        """How many settled records there are."""

"""How a queue framework becomes known to the console: one adapter, one file, found by its key.

An adapter only asks. It uses read commands alone, never the framework's own library (those clean up, register or push back
while they look), it unpickles nothing, and every question it asks is bounded. Queue names, job ids and payloads are bytes.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from apps.engine.errors import Gone
from apps.engine.text import ref, unref

Node = TypeVar("Node")

PAGE = 50
FAILURES_LOOKED_AT = 500


class Known(enum.StrEnum):
    """How well a figure is known. NONE: the framework has no such thing."""

    EXACT = "exact"
    BRACKET = "bracket"
    AT_LEAST = "at least"
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A number of jobs, and how well it is known. `why` is the reason where it is not exact."""

    value: int | None
    known: Known
    why: str = ""

    @classmethod
    def exact(cls, value: int) -> Count:
        return cls(value=value, known=Known.EXACT)

    @classmethod
    def at_least(cls, value: int, why: str) -> Count:
        return cls(value=value, known=Known.AT_LEAST, why=why)

    @classmethod
    def unknown(cls, why: str) -> Count:
        return cls(value=None, known=Known.UNKNOWN, why=why)

    @classmethod
    def none(cls, why: str) -> Count:
        return cls(value=None, known=Known.NONE, why=why)

    @property
    def some(self) -> bool:
        """True only when it is known that there is at least one."""
        return bool(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How long the oldest has waited: `low_s` to `high_s` in seconds; no `high_s` means at least `low_s`."""

    low_s: float | None
    high_s: float | None
    known: Known
    why: str = ""

    @classmethod
    def exact(cls, seconds: float, why: str = "The job carries its own time.") -> Age:
        seconds = max(seconds, 0.0)
        return cls(low_s=seconds, high_s=seconds, known=Known.EXACT, why=why)

    @classmethod
    def at_least(cls, seconds: float, why: str) -> Age:
        return cls(low_s=max(seconds, 0.0), high_s=None, known=Known.AT_LEAST, why=why)

    @classmethod
    def unknown(cls, why: str) -> Age:
        return cls(low_s=None, high_s=None, known=Known.UNKNOWN, why=why)

    @classmethod
    def none(cls, why: str = "Nothing waits.") -> Age:
        return cls(low_s=None, high_s=None, known=Known.NONE, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a bounded look over the names of one Redis database has seen so far. Empty for a PostgreSQL."""

    kombu_tables: frozenset[bytes] = frozenset()
    streams: frozenset[bytes] = frozenset()
    looked_count: int = 0
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One framework that was found in one database. `evidence` says by what; `keys` are those that prove it.

    `names` are those of its queues, where finding it told them already.
    """

    adapter: str
    framework: str
    database: str
    evidence: str
    keys: tuple[bytes, ...] = ()
    names: tuple[bytes, ...] = ()


# A URL of 4 kB passes every proxy.
MOST_ADDRESS_BYTES = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One backlog. `name` is what people call it; `part` tells apart what shares a name (the group of a stream)."""

    adapter: str
    framework: str
    database: str
    name: bytes
    part: bytes = b""
    prefix: bytes = b""

    @property
    def is_addressable(self) -> bool:
        """Whether its name fits into a URL. Longer names are listed, and cannot be opened."""
        return len(self.name) + len(self.part) + len(self.prefix) <= MOST_ADDRESS_BYTES

    @property
    def ref(self) -> str:
        """This queue as a part of a URL; `Queue.parse` reads it back."""
        head = f"{len(self.database)},{len(self.prefix)},{len(self.part)};"
        return ref(head.encode() + self.database.encode() + self.prefix + self.part + self.name)

    @classmethod
    def parse(cls, adapter: str, text: str) -> Queue:
        """Errors: Gone for an address that no queue has."""
        raw = unref(text)
        head, found, rest = raw.partition(b";")
        try:
            sizes = [int(word) for word in head.decode("ascii").split(",")]
            database_size, prefix_size, part_size = sizes
            database = rest[:database_size].decode("utf-8")
        except ValueError as error:
            raise Gone("This address names no queue; it was cut or changed.") from error
        if not found or min(sizes) < 0 or sum(sizes) >= len(rest):
            raise Gone("This address names no queue; it was cut or changed.")
        after_prefix = database_size + prefix_size
        return cls(
            adapter=adapter,
            framework="",
            database=database,
            prefix=rest[database_size:after_prefix],
            part=rest[after_prefix : after_prefix + part_size],
            name=rest[after_prefix + part_size :],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One place a job of this queue can be in, with the tab it makes. `words` qualify the count under the figure."""

    key: str
    title: str
    count: Count
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Somebody who takes jobs. `alive` is None where the framework gives no way to tell."""

    name: bytes
    alive: bool | None
    state: str
    heard_at: datetime | None = None
    jobs_count: int | None = None
    job: bytes = b""
    where: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """All that was seen. `known` is UNKNOWN (with `why`) where nothing can be said about workers, as opposed to none seen."""

    known: Known
    workers: tuple[Worker, ...] = ()
    why: str = ""

    @property
    def alive_count(self) -> int:
        return sum(worker.alive is not False for worker in self.workers)

    @property
    def none_seen(self) -> bool:
        return self.known is Known.EXACT and self.alive_count == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One queue now. `ready` could be taken this moment; `abandoned` was taken by somebody who is gone.

    `mark` is a digest of the job that is next, so that two looks can tell whether anything left. `added_count` and `taken_count`
    are all that ever came and left, None where the framework does not count them. `notes` are sentences.
    """

    queue: Queue
    ready: Count
    running: Count
    scheduled: Count
    failed: Count
    oldest: Age
    workers: Workers
    states: tuple[State, ...]
    abandoned: Count = field(default_factory=lambda: Count.none("Not recorded by this framework."))
    paused: bool = False
    mark: bytes = b""
    added_count: int | None = None
    taken_count: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One job in a list. `call` is harmless; `arguments` and `message` may hold data of customers and are masked."""

    id: bytes
    call: bytes
    arguments: bytes = b""
    at: datetime | None = None
    attempts: str = ""
    error: bytes = b""
    message: bytes = b""
    note: str = ""
    holder: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows of one state. `next` is where the following page begins, None at the end. `at_title` heads the times."""

    rows: tuple[Row, ...]
    at_title: str
    next: str | None = None
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Failed jobs of one error: exception and the last frame of its traceback."""

    error: bytes
    frame: bytes
    jobs_count: int
    first_at: datetime | None
    last_at: datetime | None
    example: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The newest `looked_count` failures of `failed`, grouped, most jobs first."""

    groups: tuple[ErrorGroup, ...]
    looked_count: int
    failed: Count
    unread_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What the job carries. `steps` is how it is packed, outermost first; `body` is empty where it is not read on purpose."""

    size_bytes: int | None
    steps: tuple[str, ...]
    body: bytes = b""
    cut: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    at: datetime
    words: str
    bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job opened. `facts` are harmless (label, value) pairs; payload, traceback and message are masked by the page."""

    id: bytes
    call: bytes
    facts: tuple[tuple[str, bytes], ...]
    payload: Payload
    moments: tuple[Moment, ...] = ()
    arguments: bytes = b""
    traceback: bytes = b""
    traceback_cut: bool = False


class Adapter(ABC, Generic[Node]):
    """One framework. `kind` is "redis" or "postgres"; `oldest_end` tells people and tests which end is taken first."""

    key: ClassVar[str]
    kind: ClassVar[str]
    title: ClassVar[str]
    oldest_end: ClassVar[str]

    @abstractmethod
    def detect(self, node: Node, *, database: str, marks: Marks) -> tuple[Found, ...]:
        """Where this framework is proven to be used. Bounded; no proof, no entry. Errors: EngineError."""

    @abstractmethod
    def queues(self, node: Node, found: Found) -> tuple[Queue, ...]:
        """The queues of one find, by the framework's own registry of names. Bounded. Errors: EngineError."""

    @abstractmethod
    def snapshots(self, node: Node, queues: Sequence[Queue]) -> list[Snapshot]:
        """Each queue now, in the order given, without those that are gone. All are of one database and prefix. Errors: EngineError."""

    @abstractmethod
    def page(self, node: Node, queue: Queue, *, state: str, start: str) -> Page:
        """At most PAGE jobs of a state, from `start` ("" or a `next`). Errors: EngineError, Gone for an unknown state."""

    @abstractmethod
    def job(self, node: Node, queue: Queue, *, state: str, id: bytes, start: str) -> Job:  # noqa: A002
        """One job of a state, last seen on the page at `start`. Errors: EngineError, Gone where it left meanwhile."""

    def failures(self, node: Node, queue: Queue) -> Failures | None:
        """The newest failures by error, or None where the framework keeps none. Errors: EngineError."""
        return None


AnyAdapter = Adapter[Any]
Catalogue = Mapping[str, AnyAdapter]

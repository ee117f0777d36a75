"""The two changes that are made by pattern: keys removed, and times to live set."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from apps.engine import scripting
from apps.engine.connections.redis import Command, RedisNode, Reply
from apps.engine.contracts.archive import Record
from apps.engine.errors import EngineError
from apps.engine.files import lua_script
from apps.engine.pacing import Steps
from apps.keyspace import originals
from apps.keyspace.originals import GONE, NO_EXPIRY, Measured, measured
from apps.keyspace.sweeping import GONE_WORDS, Ask, Change, Prepared

LARGE_WORDS = "over 4 MB, left alone"
LEAVE, KEEP, DROP = "leave", "keep", "drop"
TTL = "ttl"
PAGE_BYTES = 16 * 1024 * 1024
# A clock that is read twice, and commands on their way: an expiry that differs by less was set by us.
SAME_MS = 2000
LUA = Path(__file__).parent / "lua"
UNLINK, EXPIRE = lua_script(LUA, "unlink_as_kept"), lua_script(LUA, "expire_as_kept")


class Deleting(Change):
    """UNLINK. `large` says what becomes of keys over 4 MB: left, kept and deleted, or deleted without an original."""

    verb = "Deleted"

    def __init__(self, *, keeps: bool, large: str) -> None:
        super().__init__(keeps=keeps)
        self.large = large

    def questions(self, names: Sequence[bytes]) -> list[Command]:
        return originals.questions(names)

    def prepared(
        self, ask: Ask, names: Sequence[bytes], replies: Sequence[Reply | EngineError], *, now_ms: int
    ) -> Steps[Prepared]:
        there = [key for key in measured(names, replies) if not key.is_gone]
        skipped = Counter({GONE_WORDS: len(names) - len(there)})
        kept, later = _fitting([key for key in there if not key.is_large or self.large == KEEP])
        large = [] if self.large == KEEP else [key for key in there if key.is_large]
        unkept = large if self.large == DROP else []
        skipped[LARGE_WORDS] += len(large) - len(unkept)
        records = yield from self._records(ask, kept, now_ms)
        skipped[GONE_WORDS] += len(kept) - len(records)
        return Prepared(
            records=records,
            unkept=[key.name for key in unkept],
            skipped=+skipped,
            later=[key.name for key in later],
        )

    def _records(self, ask: Ask, keys: Sequence[Measured], now_ms: int) -> Steps[list[Record]]:
        if not keys:
            return []
        dumps = originals.unrefused((yield from ask([("DUMP", key.name) for key in keys])))
        return [
            originals.record(key, dump, place=self.place, now_ms=now_ms)
            for key, dump in zip(keys, dumps, strict=True)
            if dump is not None
        ]

    def commands(self, records: Sequence[Record], unkept: Sequence[bytes]) -> list[Command]:
        names = [*(record.name for record in records), *unkept]
        return [("UNLINK", *names)] if names else []

    def as_kept(self, node: RedisNode, records: Sequence[Record]) -> Sequence[bool]:
        return unlink_as_kept(node, records)

    def is_changed(self, node: RedisNode, records: Sequence[Record]) -> list[int]:
        """One that is there and differs was written before we came to it, or came back after: the rest of its part tells."""
        now = node.replies([("DUMP", record.name) for record in records])
        gone = {record.part for record, dump in zip(records, now, strict=True) if dump is None}
        same = {record.part for record, dump in zip(records, now, strict=True) if dump == record.content}
        return [
            index
            for index, (record, dump) in enumerate(zip(records, now, strict=True))
            if dump is None or (dump != record.content and (record.part in gone or record.part not in same))
        ]


def unlink_as_kept(node: RedisNode, records: Sequence[Record]) -> list[bool]:
    """Remove those that still are as they were kept, by one script. Errors: EngineError."""
    sums = [hashlib.sha1(record.content, usedforsecurity=False).hexdigest() for record in records]
    return [bool(done) for done in scripting.call(node, UNLINK, keys=_names(records), arguments=sums)]


def _names(records: Sequence[Record]) -> list[bytes]:
    return [record.name for record in records]


def _fitting(keys: Sequence[Measured]) -> tuple[Sequence[Measured], Sequence[Measured]]:
    """As many as may be held at once, at least one; and the rest."""
    total = 0
    for index, key in enumerate(keys):
        total += key.memory_bytes or 0
        if total > PAGE_BYTES and index:
            return keys[:index], keys[index:]
    return keys, ()


class Expiring(Change):
    """PEXPIRE with jitter, so that what expires together does not come back together. `which` chooses by the present expiry.

    The original is the former expiry: `expires_at_ms` of the record; its content is the new one, as decimal digits.
    """

    verb = "Set"

    def __init__(self, *, ttl_ms: int, jitter_ratio: float, which: str) -> None:
        super().__init__(keeps=True)
        self.ttl_ms, self.jitter_ratio, self.which = ttl_ms, jitter_ratio, which

    def questions(self, names: Sequence[bytes]) -> list[Command]:
        return [("PTTL", name) for name in names]

    def prepared(
        self, ask: Ask, names: Sequence[bytes], replies: Sequence[Reply | EngineError], *, now_ms: int
    ) -> Steps[Prepared]:
        skipped: Counter[str] = Counter()
        records: list[Record] = []
        for name, ttl_ms in zip(names, replies, strict=True):
            if isinstance(ttl_ms, EngineError):
                raise ttl_ms
            if why := self._why_not(ttl_ms):
                skipped[why] += 1
                continue
            at_ms = now_ms + self._jittered()
            former = None if ttl_ms == NO_EXPIRY else now_ms + ttl_ms
            records.append(Record(name=name, content=b"%d" % at_ms, place=self.place, expires_at_ms=former, kind=TTL))
        yield from ()
        return Prepared(records=records, skipped=skipped)

    def _why_not(self, ttl_ms: int) -> str:
        if ttl_ms == GONE:
            return GONE_WORDS
        if self.which == "unlimited" and ttl_ms != NO_EXPIRY:
            return "they expire already"
        if self.which == "longer" and NO_EXPIRY != ttl_ms <= self.ttl_ms:
            return "they expire sooner already"
        return ""

    def _jittered(self) -> int:
        spread = self.ttl_ms * self.jitter_ratio
        return int(self.ttl_ms + random.uniform(-spread, spread))  # noqa: S311 - no secret

    def commands(self, records: Sequence[Record], unkept: Sequence[bytes]) -> list[Command]:
        """Former expiries are always kept, so there is nothing else."""
        return [("PEXPIREAT", record.name, int(record.content)) for record in records]

    def as_kept(self, node: RedisNode, records: Sequence[Record]) -> Sequence[bool]:
        arguments: list[int] = [SAME_MS]
        for record in records:
            arguments += (NO_EXPIRY if record.expires_at_ms is None else record.expires_at_ms, int(record.content))
        return [bool(done) for done in scripting.call(node, EXPIRE, keys=_names(records), arguments=arguments)]

    def is_changed(self, node: RedisNode, records: Sequence[Record]) -> list[int]:
        now_ms = originals.server_ms(node)
        ttls = node.replies([("PTTL", record.name) for record in records])
        return [
            index for index, (record, ttl) in enumerate(zip(records, ttls, strict=True)) if is_ours(record, ttl, now_ms)
        ]


def is_ours(record: Record, ttl_ms: int, now_ms: int) -> bool:
    """Whether a key still expires when the run said so."""
    return ttl_ms >= 0 and abs(now_ms + ttl_ms - int(record.content)) <= SAME_MS

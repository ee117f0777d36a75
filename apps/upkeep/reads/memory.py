"""Memory of a Redis node, and what its figures mean in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from apps.engine import units
from apps.upkeep.reads.info import Info
from apps.upkeep.reads.remark import Remark

FRAGMENTED_RATIO = 1.5
FRAGMENTATION_MATTERS_BYTES = 100 * 2**20
FULL_RATIOS = ((0.90, "crit"), (0.85, "warn"), (0.75, "info"))

WHEN_FULL = {
    "noeviction": "when memory is full, writes are refused; nothing is removed",
    "allkeys-lru": "when memory is full, the keys that were not used for the longest time are removed",
    "allkeys-lfu": "when memory is full, the keys that are used least often are removed",
    "allkeys-random": "when memory is full, any keys are removed, by chance",
    "allkeys-lrm": "when memory is full, the keys that were not changed for the longest time are removed",
    "volatile-lru": "when memory is full, the longest unused of the keys that expire are removed; without such keys, writes are refused",
    "volatile-lfu": "when memory is full, the least used of the keys that expire are removed; without such keys, writes are refused",
    "volatile-random": "when memory is full, any of the keys that expire are removed; without such keys, writes are refused",
    "volatile-ttl": "when memory is full, the keys that expire soonest are removed; without such keys, writes are refused",
    "volatile-lrm": "when memory is full, the longest unchanged of the keys that expire are removed; without such keys, writes are refused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the server counts, in bytes. None where this version does not say."""

    used_bytes: int | None
    peak_bytes: int | None
    dataset_bytes: int | None
    overhead_bytes: int | None
    resident_bytes: int | None
    fragmentation_ratio: float | None
    limit_bytes: int | None
    system_bytes: int | None
    policy: str | None
    evicted_count: int | None
    scripts_bytes: int | None
    clients_bytes: int | None

    @property
    def has_limit(self) -> bool:
        return bool(self.limit_bytes)

    @property
    def limit_ratio(self) -> float | None:
        return self.used_bytes / self.limit_bytes if self.used_bytes is not None and self.limit_bytes else None

    @property
    def when_full(self) -> str:
        if self.limit_bytes == 0:
            return "no limit is set: the node grows until the machine has no memory left"
        return WHEN_FULL.get(self.policy or "", "what happens when memory is full is not known for this policy")

    @property
    def fragmentation_words(self) -> str:
        """What the ratio of resident to used memory means here."""
        ratio, used = self.fragmentation_ratio, self.used_bytes or 0
        if ratio is None:
            return "The server does not say how much the system gave it."
        if ratio < 1:
            return "Less is resident than used: a part may be swapped out, and each touch of it waits for the disk."
        if used < FRAGMENTATION_MATTERS_BYTES:
            return "So little is used that the server's own few megabytes dominate this ratio: it means nothing yet."
        if ratio > FRAGMENTED_RATIO:
            return "Much of what the system gave lies in gaps between values."
        return "Little fragmentation, nothing to do."

    def remarks(self) -> Iterator[Remark]:
        yield from self._of_limit()
        ratio = self.fragmentation_ratio
        if ratio is not None and (self.used_bytes or 0) >= FRAGMENTATION_MATTERS_BYTES:
            if ratio > FRAGMENTED_RATIO:
                yield Remark(signal="warn", short=f"memory is fragmented, {ratio:.2f}", why=self.fragmentation_words)
            elif ratio < 1:
                yield Remark(signal="warn", short="memory may be swapped out", why=self.fragmentation_words)

    def _of_limit(self) -> Iterator[Remark]:
        if self.limit_bytes == 0:
            yield Remark(
                signal="crit",
                short="memory has no limit",
                why="maxmemory is 0: the kernel, not Redis, decides what happens when the machine is full.",
            )
        full = self.limit_ratio
        for threshold, signal in FULL_RATIOS:
            if full is not None and full >= threshold:
                short = f"memory is {units.share(full)} % full"
                yield Remark(signal=signal, short=short, why=f"With {self.policy or 'its policy'}, {self.when_full}.")
                return


def memory_of(info: Info) -> Memory:
    return Memory(
        used_bytes=info.number("used_memory"),
        peak_bytes=info.number("used_memory_peak"),
        dataset_bytes=info.number("used_memory_dataset"),
        overhead_bytes=info.number("used_memory_overhead"),
        resident_bytes=info.number("used_memory_rss"),
        fragmentation_ratio=info.ratio("mem_fragmentation_ratio"),
        limit_bytes=info.number("maxmemory"),
        system_bytes=info.number("total_system_memory"),
        policy=info.text("maxmemory_policy"),
        evicted_count=info.number("evicted_keys"),
        scripts_bytes=info.number("used_memory_scripts"),
        clients_bytes=info.number("mem_clients_normal"),
    )

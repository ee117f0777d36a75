"""Elements of a key as a page shows them: read by the decoders, or masked down to kind and size."""

from __future__ import annotations

from dataclasses import dataclass

from apps.keyspace.decoders import Decoded, View, decode
from apps.keyspace.reads.contents import Contents, Item
from apps.keyspace.unpacking import UNPACKED_BYTES

INLINE_BYTES = 2048
WHOLE_BYTES = 256 * 1024
EACH_UNPACKED_BYTES = 64 * 1024
LEAST_UNPACKED_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownItem:
    """`decoded` is None for a masked value, so that nothing of it can reach the page; `kind` says how it would be read."""

    item: Item
    kind: str
    decoded: Decoded | None
    most_bytes: int

    @property
    def preview(self) -> list[tuple[str, bool]]:
        return self.decoded.preview() if self.decoded else []

    @property
    def runs(self) -> list[tuple[str, bool]]:
        return self.decoded.runs(most=self.most_bytes) if self.decoded else []

    @property
    def folds(self) -> bool:
        """Whether there is more to see than the one line of the preview."""
        body = self.decoded.body if self.decoded else b""
        return len(body) > 160 or b"\n" in body

    @property
    def cut(self) -> bool:
        body = self.decoded.body if self.decoded else b""
        return len(body) > self.most_bytes


def presented(contents: Contents, *, view: View, unmasked: bool) -> tuple[ShownItem, ...]:
    """All elements of one page share 1 MB of unpacking, so that a page of bombs costs what one does; each has 64 KiB of it."""
    left_bytes = UNPACKED_BYTES
    alone = len(contents.items) == 1
    part = contents.command == "GETRANGE" and (contents.next_at is not None or contents.offset_count > 0)
    shown = []
    for item in contents.items:
        decoded = decode(
            item.value,
            view=view if unmasked else View.AUTO,
            whole=not part and len(item.value) == item.size_bytes,
            most_bytes=UNPACKED_BYTES if alone else max(min(left_bytes, EACH_UNPACKED_BYTES), LEAST_UNPACKED_BYTES),
        )
        left_bytes -= decoded.unpacked_bytes or 0
        shown.append(
            ShownItem(
                item=item,
                kind=decoded.kind,
                decoded=decoded if unmasked else None,
                most_bytes=WHOLE_BYTES if alone else INLINE_BYTES,
            )
        )
    return tuple(shown)

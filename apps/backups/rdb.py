"""An RDB while it streams by: is it one, what does its head say, and does its checksum hold? Nothing of it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import anycrc

from apps.backups.sealed_file import BackupBroken

MAGICS = (b"REDIS", b"VALKEY")
VERSION_AT = 9  # five letters and four figures, or six and three
HEAD_BYTES = 4096
CHECKSUM_BYTES = 8
END, AUX = 0xFF, 0xFA
_CRC = anycrc.Model("CRC64-REDIS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """`has_checksum` is False where the server writes none (rdbchecksum no). `as_of` is the moment of the fork."""

    version: int
    has_checksum: bool
    as_of: datetime | None
    facts: Mapping[str, str]


class RdbCheck:
    """Fed with the stream. Cost: under 1 ms a MB; the first 4 KiB and the last 8 bytes are kept."""

    def __init__(self) -> None:
        self._head = b""
        self._crc: int | None = None
        self._held = b""
        self._last = -1
        self.size_bytes = 0

    def feed(self, block: bytes) -> None:
        self.size_bytes += len(block)
        if len(self._head) < HEAD_BYTES:
            self._head += block[: HEAD_BYTES - len(self._head)]
        data = self._held + block
        done, self._held = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
        if done:
            self._crc = _CRC.calc(done) if self._crc is None else _CRC.calc(done, self._crc)
            self._last = done[-1]

    def finish(self) -> Checked:
        """Errors: BackupBroken for what is no whole RDB."""
        if not self._head.startswith(MAGICS) or not self._version().isdigit():
            raise BackupBroken("What the server sent is no RDB.")
        if self._last != END:
            raise BackupBroken("What the server sent does not end like an RDB.")
        checksum = int.from_bytes(self._held, "little")
        if checksum and checksum != self._crc:
            raise BackupBroken("The checksum of what the server sent does not hold.", way_out="Take it again.")
        facts = _facts(self._head)
        return Checked(
            version=int(self._version()), has_checksum=checksum != 0, as_of=_moment(facts.get("ctime", "")), facts=facts
        )

    def _version(self) -> bytes:
        magic = next(magic for magic in MAGICS if self._head.startswith(magic))
        return self._head[len(magic) : VERSION_AT]


def _moment(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() and len(text) < 12 else None


def _facts(head: bytes) -> dict[str, str]:
    """The fields that an RDB begins with: redis-ver, ctime, used-mem and the like."""
    found: dict[str, str] = {}
    at = VERSION_AT
    try:
        while head[at] == AUX:
            name, at = _text(head, at + 1)
            value, at = _text(head, at)
            found[name[:40]] = value[:80]
    except (
        IndexError,
        ValueError,
    ):  # more fields than the head holds, or a form that is not known: what was read stands
        pass
    return found


def _text(head: bytes, at: int) -> tuple[str, int]:
    """One string and where the next thing begins. Its length is in 6 or 14 bits, or it is a number of 8, 16 or 32."""
    first = head[at]
    if first >> 6 == 0:
        start, length = at + 1, first & 63
    elif first >> 6 == 1:
        start, length = at + 2, (first & 63) << 8 | head[at + 1]
    elif 0xC0 <= first <= 0xC2:
        size = 1 << (first & 3)
        return str(int.from_bytes(head[at + 1 : at + 1 + size], "little", signed=True)), at + 1 + size
    else:
        raise ValueError("a form that is not known")
    if start + length > len(head):
        raise IndexError("beyond the head")
    return head[start : start + length].decode("utf-8", "replace"), start + length

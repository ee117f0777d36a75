"""One archive on disk: a header and encrypted frames, appended and synced. Knows files and keys, no Django.

header:  magic (8), run (16), key id (12)
frame:   length of what follows (4), kind (1), nonce (12), AES-256-GCM of zstd of MessagePack

A frame is authenticated with the header, its place in the file and its kind, so frames cannot be moved, left out or taken from
another archive. The last frame of a closed archive says so: one that was cut off is not taken for whole.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from apps.engine.contracts.archive import Record
from apps.engine.errors import EngineError

MAGIC = b"SBARCH01"
HEADER = struct.Struct(">8s16s12s")
LENGTH = struct.Struct(">I")
NONCE_BYTES = 12
MOST_FRAME_BYTES = 1024 * 1024 * 1024
RECORDS, SETTLED, END = b"R", b"S", b"E"
LEVEL = 1


class ArchiveFull(EngineError):
    """No room for more originals: the disk, or the cap of this server."""

    kind = "archive-full"


class ArchiveBroken(EngineError):
    """The file is not what was written: cut, changed, of another run, or its key is gone."""

    kind = "archive-broken"


@dataclass(frozen=True, slots=True)
class Settlement:
    """Which records of the page before were changed by the run; `touched` None: all of them."""

    touched: tuple[int, ...] | None


def key_id_of(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:12]


def _cipher(key: bytes, run: bytes) -> AESGCM:
    """A key of its own for each archive."""
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=run, info=b"signalbox archive").derive(key))


@dataclass(frozen=True, slots=True)
class Frame:
    kind: bytes
    body: bytes  # as stored: nonce and ciphertext
    at: int
    end: int


def frames(file: BinaryIO) -> Iterator[Frame]:
    """Every whole frame after the header. One that was cut off ends the walk."""
    at = file.tell()
    while len(head := file.read(LENGTH.size + 1)) == LENGTH.size + 1:
        (length,) = LENGTH.unpack(head[: LENGTH.size])
        if length > MOST_FRAME_BYTES:
            raise ArchiveBroken("The archive is damaged.")
        body = file.read(length)
        if len(body) < length:
            return
        end = at + LENGTH.size + 1 + length
        yield Frame(kind=head[-1:], body=body, at=at, end=end)
        at = end


class Sealer:
    """Seals and opens the frames of one archive."""

    def __init__(self, key: bytes, run: bytes) -> None:
        self.header = HEADER.pack(MAGIC, run, key_id_of(key))
        self._cipher = _cipher(key, run)
        self._packer = zstandard.ZstdCompressor(level=LEVEL)
        self._unpacker = zstandard.ZstdDecompressor()
        self._encoder = msgspec.msgpack.Encoder()
        self._records = msgspec.msgpack.Decoder(tuple[Record, ...])

    def seal(self, kind: bytes, value: object, index: int) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        packed = self._packer.compress(self._encoder.encode(value))
        body = nonce + self._cipher.encrypt(nonce, packed, self._context(kind, index))
        return LENGTH.pack(len(body)) + kind + body

    def open(self, frame: Frame, index: int) -> bytes:
        """MessagePack of the frame. Errors: ArchiveBroken."""
        try:
            packed = self._cipher.decrypt(
                frame.body[:NONCE_BYTES], frame.body[NONCE_BYTES:], self._context(frame.kind, index)
            )
            return self._unpacker.decompress(packed)
        except (InvalidTag, zstandard.ZstdError):
            raise ArchiveBroken("The archive is damaged, or belongs to another run.") from None

    def records(self, frame: Frame, index: int) -> tuple[Record, ...]:
        return self._records.decode(self.open(frame, index))

    def settlement(self, frame: Frame, index: int) -> Settlement:
        return Settlement(msgspec.msgpack.decode(self.open(frame, index), type=tuple[int, ...] | None))

    def _context(self, kind: bytes, index: int) -> bytes:
        return self.header + kind + index.to_bytes(8, "big")


class ArchiveFile:
    """An archive that is being written. Not for sharing between threads.

    Opening an existing one drops a frame that was cut off by a crash: nothing was touched for it yet.
    """

    def __init__(self, path: Path, *, key: bytes, run: bytes, most_bytes: int) -> None:
        self.path = path
        self.most_bytes = most_bytes
        self.records_count = self.settled_count = 0
        self._sealer = Sealer(key, run)
        self._index = 0
        self._last: tuple[int, tuple[Record, ...]] | None = None
        self.size_bytes = 0
        self._file = self._opened()

    def _opened(self) -> BinaryIO:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_new = not self.path.exists()
        file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
        if is_new or not self._resume(file):
            file.truncate(0)
            file.seek(0)
            file.write(self._sealer.header)
            self.size_bytes = HEADER.size
            os.fsync(file.fileno())
            sync_folder(self.path.parent)
        return file

    def _resume(self, file: BinaryIO) -> bool:
        """Walk to the end of the last whole frame. False for a file that has not even a header."""
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return False
        if header != self._sealer.header:
            raise ArchiveBroken("The archive belongs to another run, or its key is gone.")
        end = HEADER.size
        for frame in frames(file):
            self._take(frame)
            end = frame.end
        file.seek(end)
        file.truncate(end)
        self.size_bytes = end
        return True

    def _take(self, frame: Frame) -> None:
        if frame.kind == RECORDS:
            records = self._sealer.records(frame, self._index)
            self._last = (self._index, records)
            self.records_count += len(records)
        elif frame.kind == SETTLED and self._last:
            self._count(self._sealer.settlement(frame, self._index))
            self._last = None
        elif frame.kind == END:
            self._sealer.open(frame, self._index)
        self._index += 1

    def _count(self, settlement: Settlement) -> None:
        held = len(self._last[1]) if self._last else 0
        self.settled_count += held if settlement.touched is None else len(settlement.touched)

    def append(self, records: Sequence[Record]) -> int:
        """Errors: ArchiveFull; the file is then as it was before."""
        if self._last is not None:
            raise ValueError("the page before was not settled")
        page = self._index
        kept = tuple(records)
        self._write(self._sealer.seal(RECORDS, kept, page), sync=True)
        self._last = (page, kept)
        self.records_count += len(kept)
        return page

    def settle(self, page: int, touched: Sequence[int] | None) -> None:
        """Not synced: if it is lost, the page counts as unsettled, and the server says what became of it."""
        if self._last is None or self._last[0] != page:
            raise ValueError("there is no such page to settle")
        settlement = Settlement(None if touched is None else tuple(touched))
        self._write(self._sealer.seal(SETTLED, settlement.touched, self._index), sync=False)
        self._count(settlement)
        self._last = None

    @property
    def unsettled(self) -> tuple[int, tuple[Record, ...]] | None:
        return self._last

    def close(self, *, whole: bool) -> bool:
        """`whole`: the run has ended, and this is all that it kept. True where the file says so itself."""
        is_said = False
        if whole and not self._file.closed:
            with suppress(ArchiveFull):
                self._write(self._sealer.seal(END, self.records_count, self._index), sync=True)
                is_said = True
        self._file.close()
        return is_said

    def _write(self, sealed: bytes, *, sync: bool) -> None:
        at = self.size_bytes
        if at + len(sealed) > self.most_bytes:
            raise ArchiveFull(
                f"The archive of this server may hold {self.most_bytes:,} bytes, and they are used up.",
                way_out="Drop older archives, raise ARCHIVE_CAP_BYTES, or run without an archive.",
            )
        try:
            left = memoryview(sealed)
            while left:
                left = left[self._file.write(left) :]
            if sync:
                os.fdatasync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(at)
                self._file.seek(at)
            raise ArchiveFull(
                f"The originals could not be written: {error.strerror}.", way_out="Make room on the console's disk."
            ) from error
        self.size_bytes = at + len(sealed)
        self._index += 1


def sync_folder(folder: Path) -> None:
    """So that the new name itself survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(
    path: Path, *, key: bytes, run: bytes, newest_first: bool = False, closed: bool = False
) -> Iterator[tuple[tuple[Record, ...], Settlement | None]]:
    """Pages with their settlement, in order; None for a last page that was never settled. Holds one page in memory.

    `closed`: the file was closed as whole, and one that does not say so at its end was cut off.
    Errors: ArchiveBroken; OSError where the file is gone.
    """
    sealer = Sealer(key, run)
    with path.open("rb") as file:
        if file.read(HEADER.size) != sealer.header:
            raise ArchiveBroken("The archive belongs to another run, or its key is gone.")
        pages, last = _pages(file)
        if closed:
            _check_end(file, last, sealer)
        for records, settled in reversed(pages) if newest_first else pages:
            settlement = sealer.settlement(_frame(file, settled.at), settled.index) if settled else None
            yield sealer.records(_frame(file, records.at), records.index), settlement


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a frame begins, and which one it is."""

    at: int
    index: int


def _pages(file: BinaryIO) -> tuple[list[tuple[_Mark, _Mark | None]], _Mark | None]:
    """Where each page and its settlement are, and the last frame; bodies are passed over. Cost: one small read a frame."""
    pages: list[tuple[_Mark, _Mark | None]] = []
    last = None
    size, at, index = file.seek(0, os.SEEK_END), HEADER.size, 0
    while at + LENGTH.size + 1 <= size:
        file.seek(at)
        head = file.read(LENGTH.size + 1)
        end = at + len(head) + int(LENGTH.unpack(head[: LENGTH.size])[0])
        if end > size:
            break
        if head[-1:] == RECORDS:
            pages.append((_Mark(at, index), None))
        elif head[-1:] == SETTLED and pages:
            pages[-1] = (pages[-1][0], _Mark(at, index))
        last = _Mark(at, index)
        at, index = end, index + 1
    return pages, last


def _check_end(file: BinaryIO, last: _Mark | None, sealer: Sealer) -> None:
    end = _frame(file, last.at) if last else None
    if last is None or end is None or end.kind != END:
        raise ArchiveBroken("The archive was cut off: its end is missing.")
    sealer.open(end, last.index)


def _frame(file: BinaryIO, at: int) -> Frame:
    file.seek(at)
    frame = next(frames(file), None)
    if frame is None:
        raise ArchiveBroken("The archive is damaged.")
    return frame

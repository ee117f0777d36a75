"""One sealed file of a backup: a stream, compressed, cut into encrypted frames. Knows files and keys, no Django.

header:  magic (8), backup (16), key id (12)
frame:   length of what follows (4), kind (1), nonce (12), AES-256-GCM of a piece of one zstd stream

A frame is authenticated with the header, the name of the part, its place and its kind, so none can be moved, left out or taken from
another backup. The last frame holds the size of the whole: a file that was cut off, even between frames, is not taken for whole.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from apps.engine.errors import EngineError

MAGIC = b"SBBACK01"
HEADER = struct.Struct(">8s16s12s")
LENGTH = struct.Struct(">I")
TOTAL = struct.Struct(">Q")
NONCE_BYTES = 12
CHUNK_BYTES = 1024 * 1024
MOST_FRAME_BYTES = 4 * CHUNK_BYTES
DATA, END = b"D", b"E"
LEVEL = 3


class BackupBroken(EngineError):
    """The file is not what was written: cut, changed, of another backup, or its key is not at hand."""

    kind = "backup-broken"


class StoreFull(EngineError):
    """No room for the backup on the console's disk."""

    kind = "store-full"


def key_id_of(key: bytes) -> bytes:
    return hashlib.sha256(b"signalbox backup key " + key).digest()[:12]


def derived(key: bytes, *, salt: bytes, purpose: str) -> bytes:
    """A key of its own for each part of each backup, and for its manifest."""
    info = f"signalbox backup {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What a finished file is: its size on disk, the size of what it holds, and the digest of the file."""

    size_bytes: int
    plain_bytes: int
    sha256: str


class _Cipher:
    def __init__(self, key: bytes, backup: bytes, part: str) -> None:
        self.header = HEADER.pack(MAGIC, backup, key_id_of(key))
        self._aes = AESGCM(derived(key, salt=backup, purpose=f"part {part}"))
        self._part = part.encode()

    def seal(self, kind: bytes, index: int, piece: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        body = nonce + self._aes.encrypt(nonce, piece, self._context(kind, index))
        return LENGTH.pack(len(body)) + kind + body

    def open(self, kind: bytes, index: int, body: bytes) -> bytes:
        try:
            return self._aes.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], self._context(kind, index))
        except (InvalidTag, ValueError):
            raise BackupBroken("The backup was changed since it was written, or its file is damaged.") from None

    def _context(self, kind: bytes, index: int) -> bytes:
        return self.header + self._part + kind + index.to_bytes(8, "big")


class SealedWriter:
    """Writes one part. `room` is asked before each write and raises StoreFull where the disk gets too full.

    Cost: about 4 ms of processor time a MB, most of it compression; one frame in memory.
    """

    def __init__(self, path: Path, *, key: bytes, backup: bytes, part: str, room: Callable[[int], None]) -> None:
        self._cipher = _Cipher(key, backup, part)
        self._packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
        self._room = room
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._index = 0
        self.size_bytes = self.plain_bytes = 0
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)
        self._write(self._cipher.header)

    def write(self, data: bytes | memoryview) -> None:
        """Errors: StoreFull."""
        self.plain_bytes += len(data)
        self._waiting += self._packer.compress(data)
        while len(self._waiting) >= CHUNK_BYTES:
            self._frame(DATA, bytes(self._waiting[:CHUNK_BYTES]))
            del self._waiting[:CHUNK_BYTES]

    def finish(self) -> Sealed:
        """The rest, the end, and everything on disk. Errors: StoreFull."""
        self._waiting += self._packer.flush()
        for at in range(0, len(self._waiting), CHUNK_BYTES):
            self._frame(DATA, bytes(self._waiting[at : at + CHUNK_BYTES]))
        self._frame(END, TOTAL.pack(self.plain_bytes))
        with _no_room():
            os.fsync(self._file.fileno())
        self.close()
        return Sealed(size_bytes=self.size_bytes, plain_bytes=self.plain_bytes, sha256=self._digest.hexdigest())

    def close(self) -> None:
        self._file.close()

    def _frame(self, kind: bytes, piece: bytes) -> None:
        self._write(self._cipher.seal(kind, self._index, piece))
        self._index += 1

    def _write(self, sealed: bytes) -> None:
        self._room(len(sealed))
        self._digest.update(sealed)
        self.size_bytes += len(sealed)
        with _no_room():
            left = memoryview(sealed)
            while left:
                left = left[self._file.write(left) :]


class _no_room:  # noqa: N801 - a context manager, used like a function
    """An OSError of the disk in words."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise StoreFull(
                f"The backup could not be written: {error.strerror}.", way_out="Make room where BACKUP_FOLDER is."
            ) from error


class _Frames:
    """What zstd reads from: the pieces of the frames in order, each authenticated before a byte of it is used."""

    def __init__(self, file: BinaryIO, cipher: _Cipher) -> None:
        self._file, self._cipher = file, cipher
        self._left = b""
        self._index = 0
        self.total_bytes: int | None = None

    def read(self, size: int) -> bytes:
        while not self._left and self.total_bytes is None:
            self._next()
        piece, self._left = self._left[:size], self._left[size:]
        return piece

    def finish(self) -> int:
        """The size that the end names. Errors: BackupBroken where there is none, or something comes after it."""
        while self.total_bytes is None:
            self._next()
        if self._file.read(1):
            raise BackupBroken("The backup has something after its end.")
        return self.total_bytes

    def _next(self) -> None:
        head = self._file.read(LENGTH.size + 1)
        if len(head) < LENGTH.size + 1:
            raise BackupBroken("The backup was cut off: its end is missing.")
        length, kind = int(LENGTH.unpack(head[: LENGTH.size])[0]), head[-1:]
        body = self._file.read(length) if length <= MOST_FRAME_BYTES else b""
        if len(body) < length or not body:
            raise BackupBroken("The backup was cut off, or its file is damaged.")
        piece = self._cipher.open(kind, self._index, body)
        self._index += 1
        if kind == END:
            self.total_bytes = int(TOTAL.unpack(piece)[0])
        else:
            self._left = piece


def opened(path: Path, *, keys: Sequence[bytes], backup: bytes, part: str) -> Iterator[bytes]:
    """What a part holds, in blocks of a MB at most. Memory: a few MB, whatever the file unpacks to.

    A block is authentic; that nothing is missing is known when the last one was given.
    Errors: BackupBroken; OSError where the file is gone.
    """
    with path.open("rb") as file:
        header = file.read(HEADER.size)
        cipher = _Cipher(_key_for(header, keys), backup, part)
        if header != cipher.header:
            raise BackupBroken("The file belongs to another backup.")
        frames = _Frames(file, cipher)
        reader = zstandard.ZstdDecompressor().stream_reader(frames)  # type: ignore[arg-type]
        plain_bytes = 0
        for block in iter(partial(_unpacked, reader), b""):
            plain_bytes += len(block)
            yield block
        if frames.finish() != plain_bytes:
            raise BackupBroken("The backup does not hold as much as was written.")


def _unpacked(reader: zstandard.ZstdDecompressionReader) -> bytes:
    try:
        return reader.read(CHUNK_BYTES)
    except zstandard.ZstdError:
        raise BackupBroken("The backup cannot be unpacked: its file is damaged.") from None


def _key_for(header: bytes, keys: Sequence[bytes]) -> bytes:
    if len(header) < HEADER.size or not header.startswith(MAGIC):
        raise BackupBroken("This is no backup of a Signalbox, or its beginning is gone.")
    wanted = header[-12:]
    found = next((key for key in keys if key_id_of(key) == wanted), None)
    if found is None:
        raise BackupBroken(
            f"The key of this backup ({wanted.hex()}) is not at hand.",
            way_out="Put it back: keys/backup, or BACKUP_KEYS.",
        )
    return found


def sha256_of(path: Path) -> str:
    """The digest of a file as it is on disk. Cost: about 1 ms a MB. Errors: OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

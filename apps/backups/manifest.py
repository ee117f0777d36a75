"""What a backup says of itself: a file beside its parts, written last, so that a folder without one is no backup.

It is JSON that a person can read without the console, and carries a MAC: one that was edited is told apart.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import msgspec

from apps.backups.sealed_file import BackupBroken, Sealed, derived, key_id_of

NAME = "manifest.json"
SALT = b"manifest"
MOST_BYTES = 256 * 1024


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed file. `name` is what it is called once it was opened; `says` what it is, in words."""

    name: str
    file: str
    says: str
    size_bytes: int
    plain_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`as_of` is the moment whose state it holds, where the server said so. `number` is that of the run."""

    format: int = 1
    id: str
    server: str
    kind: str
    version_text: str
    database: str = ""
    number: int = 0
    by: str = ""
    begun_at: datetime
    taken_at: datetime
    as_of: datetime | None = None
    tool: str = ""
    facts: dict[str, str] = {}
    remarks: tuple[str, ...] = ()
    parts: tuple[Part, ...]

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    @property
    def plain_bytes(self) -> int:
        return sum(part.plain_bytes for part in self.parts)

    @property
    def took_s(self) -> float:
        return (self.taken_at - self.begun_at).total_seconds()

    def part(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)


class _Envelope(msgspec.Struct, frozen=True):
    manifest: msgspec.Raw
    key: str
    mac: str


def part_of(name: str, says: str, file: str, sealed: Sealed) -> Part:
    return Part(
        name=name,
        file=file,
        says=says,
        size_bytes=sealed.size_bytes,
        plain_bytes=sealed.plain_bytes,
        sha256=sealed.sha256,
    )


def written(manifest: Manifest, *, key: bytes) -> bytes:
    """The file's content."""
    said = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    return msgspec.json.encode(_Envelope(msgspec.Raw(said), key_id_of(key).hex(), _mac(key, said))) + b"\n"


def read(content: bytes, *, keys: Sequence[bytes]) -> Manifest:
    """Errors: BackupBroken for one that was edited, cut, or written with a key that is not at hand."""
    try:
        envelope = msgspec.json.decode(content, type=_Envelope)
        manifest = msgspec.json.decode(envelope.manifest, type=Manifest)
    except msgspec.MsgspecError:
        raise BackupBroken("The manifest cannot be read.") from None
    key = next((key for key in keys if key_id_of(key).hex() == envelope.key), None)
    if key is None:
        raise BackupBroken(
            f"The key of this backup ({envelope.key[:24]}) is not at hand.",
            way_out="Put it back: keys/backup, or BACKUP_KEYS.",
        )
    if not hmac.compare_digest(_mac(key, bytes(envelope.manifest)), envelope.mac):
        raise BackupBroken("The manifest was changed since it was written.")
    return manifest


def _mac(key: bytes, said: bytes) -> str:
    return hmac.new(derived(key, salt=SALT, purpose="manifest"), said, sha256).hexdigest()

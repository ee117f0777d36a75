"""Where backups are: the folder itself is the truth, so nothing is lost with the console's database.

    <server>/<time>-<id>/manifest.json, and the parts        a backup
    .unfinished/<server>.<time>-<id>.<draft>/                one that is being written, or being deleted

A backup is written aside and moved into place as a whole, manifest last. A draft is locked by who writes it, and the lock ends with
its process: what is left of a killed one is known by that, and removed.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from apps.backups import manifest as manifests
from apps.backups.manifest import Manifest, Part
from apps.backups.sealed_file import BackupBroken, SealedWriter, StoreFull, opened
from apps.engine.errors import Gone
from apps.operations.archive_file import sync_folder

UNFINISHED, LOCK = ".unfinished", ".lock"
# Never filled: the console's own database, archives and logs may be on the same disk.
RESERVE_BYTES = 256 * 1024 * 1024
MOST_LISTED = 50
NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupId:
    """What a backup is known by: when its run began and a random number. `name` is its folder and its address."""

    hex: str
    at: datetime

    @property
    def name(self) -> str:
        return f"{self.at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{self.hex}"

    @property
    def salt(self) -> bytes:
        return bytes.fromhex(self.hex)


def new_id(at: datetime) -> BackupId:
    return BackupId(hex=secrets.token_hex(16), at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup on disk. `problem` says what is wrong with it; then `manifest` may be missing."""

    name: str
    server: str
    folder: Path
    manifest: Manifest | None
    problem: str = ""

    @property
    def begun_at(self) -> datetime:
        return datetime.strptime(self.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    @property
    def salt(self) -> bytes:
        return bytes.fromhex(self.name[-32:])


def root() -> Path:
    return Path(settings.BACKUP_FOLDER)


def keys() -> list[bytes]:
    """The first seals, all open."""
    return [base64.b64decode(word) for word in settings.BACKUP_KEYS.replace(",", " ").split()]


# -- what is there -----------------------------------------------------------------------------------------------------


def names(server: str) -> list[str]:
    """Every backup of a server by name, newest first. Cost: one listing of a folder."""
    with suppress(OSError):
        return sorted((each.name for each in (root() / server).iterdir() if NAME.fullmatch(each.name)), reverse=True)
    return []


def servers() -> list[str]:
    """Every server that has a folder here, also one that is not registered any more. Cost: one listing of a folder."""
    with suppress(OSError):
        return sorted(each.name for each in root().iterdir() if each.is_dir() and not each.name.startswith("."))
    return []


def listed(server: str, *, after: str = "", most: int = MOST_LISTED) -> list[Backup]:
    """Backups of a server, newest first, those older than `after`.

    Shape: at most `most`. Cost: one listing, one small file and one stat a part. Errors: none, a broken one says so. Source: the folder.
    """
    return [look(server, name) for name in names(server) if not after or name < after][:most]


def find(server: str, name: str) -> Backup:
    """Errors: Gone for one that is not there."""
    if not NAME.fullmatch(name) or not (root() / server / name).is_dir():
        raise Gone(
            "There is no such backup any more.", way_out="It may have been deleted, or its folder is not mounted."
        )
    return look(server, name)


def look(server: str, name: str) -> Backup:
    """One backup with what can be told without reading its parts. Errors: none."""
    folder = root() / server / name
    manifest = None
    try:
        manifest = _manifest(folder)
        _check_place(manifest, server, name)
        for part in manifest.parts:
            _check_size(folder, part)
    except BackupBroken as error:
        return Backup(name=name, server=server, folder=folder, manifest=manifest, problem=error.message)
    return Backup(name=name, server=server, folder=folder, manifest=manifest)


def _manifest(folder: Path) -> Manifest:
    try:
        with (folder / manifests.NAME).open("rb") as file:
            content = file.read(manifests.MOST_BYTES)
    except OSError as error:
        raise BackupBroken(f"Its manifest cannot be read: {error.strerror}.") from None
    return manifests.read(content, keys=keys())


def _check_place(manifest: Manifest, server: str, name: str) -> None:
    if (manifest.server, manifest.id) != (server, name):
        raise BackupBroken(f"It is the backup {manifest.id} of {manifest.server}, moved here.")


def _check_size(folder: Path, part: Part) -> None:
    try:
        size_bytes = (folder / part.file).stat().st_size
    except OSError:
        raise BackupBroken(f"Its file {part.file} is missing.") from None
    if size_bytes != part.size_bytes:
        raise BackupBroken(f"Its file {part.file} has {size_bytes:,} bytes; {part.size_bytes:,} were written.")


def content(backup: Backup, part: Part) -> Iterator[bytes]:
    """What a part holds, opened. Errors: BackupBroken, OSError."""
    return opened(backup.folder / part.file, keys=keys(), backup=backup.salt, part=part.name)


def check(backup: Backup, *, told: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Read the whole of it, authenticated and unpacked. `told` hears how far it is. Cost: about 2 ms a MB. Errors: BackupBroken."""
    if backup.problem or backup.manifest is None:
        raise BackupBroken(backup.problem)
    done_bytes = 0
    for part in backup.manifest.parts:
        try:
            for block in content(backup, part):
                done_bytes += len(block)
                told(done_bytes, backup.manifest.plain_bytes)
        except OSError as error:
            raise BackupBroken(f"Its file {part.file} cannot be read: {error.strerror}.") from None
    if done_bytes != backup.manifest.plain_bytes:
        raise BackupBroken("It does not hold as much as was written.")


# -- making one --------------------------------------------------------------------------------------------------------


class Draft:
    """A backup that is being written. Made by `draft`."""

    def __init__(self, folder: Path, server: str, backup: BackupId) -> None:
        self.folder, self.server, self.id = folder, server, backup
        self._open: list[SealedWriter] = []

    def writer(self, part: str) -> SealedWriter:
        """Errors: StoreFull."""
        path = self.folder / f"{part}.sealed"
        try:
            made = SealedWriter(path, key=keys()[0], backup=self.id.salt, part=part, room=self._check_room)
        except OSError as error:
            raise StoreFull(f"The backup could not be written: {error.strerror}.") from error
        self._open.append(made)
        return made

    def _check_room(self, more_bytes: int) -> None:
        if free_bytes(self.folder) - more_bytes < RESERVE_BYTES:
            raise StoreFull(
                f"Under {RESERVE_BYTES // 1024**2} MiB are free where backups go: nothing more is written there.",
                way_out="Make room, or name another BACKUP_FOLDER.",
            )

    def publish(self, manifest: Manifest) -> None:
        """Make it a backup: the manifest, everything on disk, and the move. Errors: StoreFull."""
        place = root() / self.server
        try:
            handle = os.open(self.folder / manifests.NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(manifests.written(manifest, key=keys()[0]))
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self.folder)
            place.mkdir(mode=0o700, exist_ok=True)
            self.folder.rename(place / self.id.name)
            for folder in (place, place.parent, self.folder.parent):
                sync_folder(folder)
        except OSError as error:
            raise StoreFull(f"The backup could not be finished: {error.strerror}.") from error

    def close(self) -> None:
        for each in self._open:
            each.close()


@contextmanager
def draft(server: str, backup: BackupId) -> Iterator[Draft]:
    """A place to write a backup. What was not published when it ends is gone. Errors: StoreFull."""
    folder, lock = _locked_folder(f"{server}.{backup.name}")
    made = Draft(folder, server, backup)
    try:
        yield made
    finally:
        made.close()
        _remove(folder)
        os.close(lock)


def _lock_of(folder: Path) -> Path:
    """A file beside it: a network disk locks no folders, and the folder itself is moved away."""
    return folder.with_name(f"{folder.name}{LOCK}")


def _locked_folder(name: str) -> tuple[Path, int]:
    """A new folder that is ours as long as this process lives. The lock is there before the folder is."""
    unfinished = root() / UNFINISHED
    try:
        unfinished.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            folder = unfinished / f"{name}.{secrets.token_hex(4)}"
            lock = os.open(_lock_of(folder), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            if _locks(lock, _lock_of(folder)):
                folder.mkdir(mode=0o700)
                return folder, lock
            os.close(lock)
    except OSError as error:
        raise StoreFull(
            f"The folder of backups cannot be used: {error.strerror}.", way_out="See BACKUP_FOLDER, and its rights."
        ) from error


def _locks(lock: int, path: Path) -> bool:
    """Whether the lock is ours: nobody has it, and nobody took its file away meanwhile. Errors: OSError where the disk has no locks."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _remove(folder: Path) -> None:
    """The lock goes last: a folder that is there without one belongs to nobody."""
    shutil.rmtree(folder, ignore_errors=True)
    _lock_of(folder).unlink(missing_ok=True)


def clean() -> int:
    """Remove what killed runs left. Returns how many. A draft whose writer lives is locked, and left alone."""
    with suppress(OSError):
        left = {each.name.removesuffix(LOCK) for each in (root() / UNFINISHED).iterdir()}
        return sum(_cleaned(root() / UNFINISHED / name) for name in left)
    return 0


def _cleaned(folder: Path) -> bool:
    try:
        lock = os.open(_lock_of(folder), os.O_RDWR)
    except OSError:  # none: it was being deleted
        _remove(folder)
        return True
    try:
        if is_dead := _locks(lock, _lock_of(folder)):
            _remove(folder)
        return is_dead
    finally:
        os.close(lock)


def delete(backup: Backup) -> None:
    """Out of the list first, as a whole, and then off the disk. Errors: Gone."""
    unfinished = root() / UNFINISHED
    unfinished.mkdir(mode=0o700, exist_ok=True)
    aside = unfinished / f"{backup.server}.{backup.name}.{secrets.token_hex(4)}"
    try:
        backup.folder.rename(aside)
        sync_folder(backup.folder.parent)
    except FileNotFoundError:
        raise Gone("There is no such backup any more.") from None
    _remove(aside)


def free_bytes(folder: Path) -> int:
    """What is free on the disk of a folder that may not exist yet. Errors: StoreFull."""
    near = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        found = os.statvfs(near)
    except OSError as error:
        raise StoreFull(f"The folder of backups cannot be read: {error.strerror}.") from error
    return found.f_bavail * found.f_frsize

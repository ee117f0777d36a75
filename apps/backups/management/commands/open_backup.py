"""Open a backup by hand: `python manage.py open_backup FOLDER --to DIRECTORY`. For the day on which the console is gone.

It needs the folder of the backup and the key, and neither a server, nor a broker, nor the console's database.
"""

from __future__ import annotations

import base64
import binascii
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.backups import manifest as manifests
from apps.backups.manifest import Manifest, Part
from apps.backups.sealed_file import BackupBroken, opened


class Command(BaseCommand):
    help = (
        "Verify a backup and write what it holds: an RDB for a Redis, an archive for pg_restore and the roles for psql."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="The folder of the backup: the one with manifest.json in it.")
        parser.add_argument(
            "--key", type=Path, help="The file with the key; otherwise the console's own (keys/backup, BACKUP_KEYS)."
        )
        parser.add_argument(
            "--to", type=Path, help="A directory to write every part into. Nothing there is overwritten."
        )
        parser.add_argument("--part", default="", help="One part alone, to standard output: --part dump.rdb > dump.rdb")

    def handle(self, *args: Any, folder: Path, key: Path | None, to: Path | None, part: str, **options: Any) -> None:
        try:
            keys = _keys(key.read_text() if key else settings.BACKUP_KEYS)
            manifest = manifests.read((folder / manifests.NAME).read_bytes(), keys=keys)
            if part:
                self._write_one(folder, manifest, keys, part)
            else:
                self._write_all(folder, manifest, keys, to)
        except OSError as error:
            raise CommandError(f"{error.filename or folder}: {error.strerror}.") from None
        except BackupBroken as error:
            raise CommandError(f"{error.message} {error.way_out}".strip()) from None

    def _write_one(self, folder: Path, manifest: Manifest, keys: list[bytes], name: str) -> None:
        found = manifest.part(name)
        if found is None:
            raise CommandError(f"It has no part {name}: there are {', '.join(part.name for part in manifest.parts)}.")
        _copy(folder, manifest, found, keys, sys.stdout.buffer)

    def _write_all(self, folder: Path, manifest: Manifest, keys: list[bytes], to: Path | None) -> None:
        """Without a directory it is verified and nothing is written."""
        about = f" database {manifest.database}," if manifest.database else ""
        self.stdout.write(f"{manifest.id}: {manifest.server},{about} {manifest.version_text}, by {manifest.by}")
        for part in manifest.parts:
            if to is None:
                _copy(folder, manifest, part, keys, None)
                self.stdout.write(f"  {part.name}: {part.plain_bytes:,} bytes, whole")
                continue
            to.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (to / part.name).open("xb") as file:
                (to / part.name).chmod(0o600)
                _copy(folder, manifest, part, keys, file)
            self.stdout.write(f"  {to / part.name}: {part.plain_bytes:,} bytes, whole")


def _copy(folder: Path, manifest: Manifest, part: Part, keys: list[bytes], file: BinaryIO | None) -> None:
    """Errors: BackupBroken; what was written of a broken part until then is not to be used."""
    for block in opened(folder / part.file, keys=keys, backup=bytes.fromhex(manifest.id[-32:]), part=part.name):
        if file is not None:
            file.write(block)


def _keys(text: str) -> list[bytes]:
    try:
        return [base64.b64decode(word, validate=True) for word in text.replace(",", " ").split()]
    except binascii.Error:
        raise CommandError("The key is no base64 text.") from None

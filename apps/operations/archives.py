"""Originals of runs: one file each under the data folder, sealed, capped a server, dropped when their time is over."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from apps.engine.contracts.archive import Archive, Originals, Record
from apps.engine.errors import Gone
from apps.operations import archive_file
from apps.operations.archive_file import ArchiveBroken, ArchiveFile, Settlement, key_id_of
from apps.operations.models import Run, StoredArchive

log = structlog.get_logger(__name__)


def folder() -> Path:
    return Path(settings.ARCHIVE_FOLDER)


def _keys() -> list[bytes]:
    return [base64.b64decode(word) for word in settings.ARCHIVE_KEYS.replace(",", " ").split()]


def _key_of(path: Path) -> bytes:
    """The key a file was sealed with. Errors: ArchiveBroken when the console no longer has it."""
    with path.open("rb") as file:
        header = file.read(archive_file.HEADER.size)
    wanted = header[-12:]
    found = next((key for key in _keys() if key_id_of(key) == wanted), None)
    if found is None:
        raise ArchiveBroken("The key of this archive is not among the console's.", way_out="Put it back: ARCHIVE_KEYS.")
    return found


def kept_bytes(server_key: str) -> int:
    """What the archives of a server take now."""
    mine = StoredArchive.objects.filter(server_key=server_key, dropped_at=None)
    return int(mine.aggregate(total=Sum("size_bytes"))["total"] or 0)


def room_bytes(server_key: str) -> int:
    """How much more may be kept for a server."""
    return max(0, int(settings.ARCHIVE_CAP_BYTES) - kept_bytes(server_key))


class RunArchive(Archive):
    """The archive of one run; its file is made with the first page, so a run that keeps nothing leaves nothing."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._file: ArchiveFile | None = None
        self._row: StoredArchive | None = StoredArchive.objects.filter(run=run).first()
        if self._row is not None:
            self._file = self._open(self._row)

    def append(self, records: Sequence[Record]) -> int:
        return self._opened().append(records)

    def settle(self, page: int, touched: Sequence[int] | None = None) -> None:
        self._opened().settle(page, touched)

    @property
    def settled_count(self) -> int:
        return self._file.settled_count if self._file else 0

    def settled(self, after_count: int) -> Iterator[Record]:
        if self._row is None:
            return iter(())
        path = folder() / self._row.name
        pages = archive_file.read(path, key=_key_of(path), run=self._run.plan.uid.bytes)
        changed = (
            record for page, settlement in pages if settlement is not None for record in _touched(page, settlement)
        )
        return islice(changed, after_count, None)

    def unsettled(self) -> tuple[int, tuple[Record, ...]] | None:
        return self._file.unsettled if self._file else None

    @property
    def size_bytes(self) -> int:
        return self._file.size_bytes if self._file else 0

    @property
    def records_count(self) -> int:
        return self._file.records_count if self._file else 0

    def _opened(self) -> ArchiveFile:
        if self._file is None:
            self._row = _new_row(self._run)
            self._file = self._open(self._row)
        return self._file

    def _open(self, row: StoredArchive) -> ArchiveFile:
        path = folder() / row.name
        key = _key_of(path) if path.exists() and path.stat().st_size else _keys()[0]
        most = room_bytes(row.server_key) + row.size_bytes
        return ArchiveFile(path, key=key, run=self._run.plan.uid.bytes, most_bytes=most)

    def close(self, *, whole: bool) -> None:
        """Write down how large it has become. `whole` when the run has ended."""
        if self._file is None or self._row is None:
            return
        size, records, settled = self._file.size_bytes, self._file.records_count, self._file.settled_count
        is_said = self._file.close(whole=whole)
        StoredArchive.objects.filter(pk=self._row.pk).update(
            size_bytes=size,
            records_count=records,
            settled_count=settled,
            closed_at=timezone.now() if is_said else None,
            expires_at=timezone.now() + timedelta(hours=settings.ARCHIVE_HOURS),
        )


def _new_row(run: Run) -> StoredArchive:
    return StoredArchive.objects.create(
        run=run,
        server_key=run.server_key,
        name=f"{run.server_key}/{run.pk}-{run.plan.uid.hex}.sba",
        expires_at=timezone.now() + timedelta(hours=settings.ARCHIVE_HOURS),
    )


class StoredOriginals(Originals):
    """What an archive holds, for an undo. Errors of reading: ArchiveBroken, Gone."""

    def __init__(self, row: StoredArchive) -> None:
        if not row.is_there:
            raise Gone("The archive of this run was dropped.", way_out=f"Archives are kept {settings.ARCHIVE_HOURS} h.")
        self._row = row

    @property
    def count(self) -> int:
        return self._row.settled_count

    def records(self, *, newest_first: bool = False) -> Iterator[Record]:
        for page, settlement in self._pages(newest_first):
            touched = _touched(page, settlement)
            yield from reversed(tuple(touched)) if newest_first else touched

    def _pages(self, newest_first: bool) -> Iterator[tuple[tuple[Record, ...], Settlement | None]]:
        path = folder() / self._row.name
        if not path.exists():
            raise Gone("The file of this archive is gone.", way_out="Was the data folder restored without it?")
        run = self._row.run.plan.uid.bytes
        return archive_file.read(
            path, key=_key_of(path), run=run, newest_first=newest_first, closed=self._row.closed_at is not None
        )


def _touched(page: tuple[Record, ...], settlement: Settlement | None) -> Iterator[Record]:
    """A page that was never settled counts as touched: undo never overwrites, so what was not removed is found there."""
    if settlement is None or settlement.touched is None:
        yield from page
    else:
        yield from (page[index] for index in settlement.touched)


def originals_of(run: Run) -> StoredOriginals | None:
    """None for a run that kept nothing."""
    row = StoredArchive.objects.filter(run=run).select_related("run__plan").first()
    return StoredOriginals(row) if row else None


def drop(row: StoredArchive) -> bool:
    """Delete the file, keep the row. False when somebody else was quicker."""
    claimed = StoredArchive.objects.filter(pk=row.pk, dropped_at=None).update(dropped_at=timezone.now())
    if claimed:
        (folder() / row.name).unlink(missing_ok=True)
        log.info("archive dropped", run=row.run_id, server=row.server_key)
    return bool(claimed)


def drop_expired() -> int:
    """What is past its time, and of runs that have ended. Returns how many went."""
    over = StoredArchive.objects.filter(dropped_at=None, expires_at__lte=timezone.now(), run__finished_at__isnull=False)
    return sum(drop(row) for row in over[:200])


def extend(row: StoredArchive, *, hours: int) -> None:
    """Keep an archive longer. Never shorter."""
    with transaction.atomic():
        StoredArchive.objects.filter(pk=row.pk, dropped_at=None).update(
            expires_at=F("expires_at") + timedelta(hours=hours)
        )

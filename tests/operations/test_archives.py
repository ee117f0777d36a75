"""Originals on disk: sealed, whole or refused, capped, dropped in time."""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.accounts.models import Operator
from apps.engine.contracts.archive import Record
from apps.engine.errors import Gone
from apps.operations import archive_file, archives
from apps.operations.archive_file import ArchiveBroken, ArchiveFile, ArchiveFull, read
from apps.operations.models import AuditEntry, StoredArchive
from tests.operations.door import OpenDoor
from tests.real_servers import RedisServer

KEY, RUN = secrets.token_bytes(32), secrets.token_bytes(16)
MOST = 100_000_000


def records(count: int, *, size: int = 50, start: int = 0) -> list[Record]:
    return [
        Record(name=b"key:%d" % n, content=os.urandom(size), place="0", kind="key") for n in range(start, start + count)
    ]


def opened(path: Path, *, key: bytes = KEY, run: bytes = RUN, most: int = MOST) -> ArchiveFile:
    return ArchiveFile(path, key=key, run=run, most_bytes=most)


def contents(path: Path, **how: Any) -> list[tuple[tuple[Record, ...], Any]]:
    return list(read(path, **{"key": KEY, "run": RUN, **how}))


def written(path: Path, pages: int = 3) -> list[list[Record]]:
    file = opened(path)
    kept = []
    for n in range(pages):
        some = records(20, start=n * 20)
        file.settle(file.append(some), None)
        kept.append(some)
    file.close(whole=True)
    return kept


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = written(tmp_path / "a")
    assert [list(page) for page, _ in contents(tmp_path / "a")] == kept
    assert [list(page) for page, _ in contents(tmp_path / "a", newest_first=True)] == kept[::-1]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_only_settled_records_count(tmp_path: Path) -> None:
    file = opened(tmp_path / "a")
    page = file.append(records(5))
    file.settle(page, [0, 3])
    page = file.append(records(5))
    file.settle(page, ())
    assert (file.records_count, file.settled_count) == (10, 2)
    file.append(records(2))
    assert file.unsettled is not None and len(file.unsettled[1]) == 2
    file.close(whole=False)
    assert [settlement.touched if settlement else "open" for _, settlement in contents(tmp_path / "a")] == [
        (0, 3),
        (),
        "open",
    ]


def test_the_next_page_waits_for_the_settlement_of_the_one_before(tmp_path: Path) -> None:
    file = opened(tmp_path / "a")
    page = file.append(records(1))
    with pytest.raises(ValueError, match="settled"):
        file.append(records(1))
    with pytest.raises(ValueError, match="no such page"):
        file.settle(page + 1, None)


@pytest.mark.parametrize("cut", [1, 7, 40, 200])
def test_a_page_that_was_cut_off_by_a_crash_is_dropped_and_the_file_goes_on(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    file = opened(path)
    file.settle(file.append(records(20)), None)
    whole = path.stat().st_size
    file.append(records(20, start=20))
    file.close(whole=False)
    with path.open("r+b") as raw:
        raw.truncate(path.stat().st_size - cut)
    again = opened(path)
    assert again.size_bytes == whole and again.unsettled is None and again.records_count == 20
    again.settle(again.append(records(3, start=20)), None)
    again.close(whole=True)
    assert [len(page) for page, _ in contents(path)] == [20, 3]


def test_a_resumed_archive_knows_its_open_page(tmp_path: Path) -> None:
    file = opened(tmp_path / "a")
    file.settle(file.append(records(4)), [1])
    page = file.append(records(6))
    file.close(whole=False)
    again = opened(tmp_path / "a")
    assert again.unsettled is not None and again.unsettled[0] == page and len(again.unsettled[1]) == 6
    assert (again.records_count, again.settled_count) == (10, 1)


@pytest.mark.parametrize("at", [5, 30, 60, 100, 400, -1, -20])
def test_a_changed_byte_is_found(at: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    written(path)
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ArchiveBroken):
        contents(path, closed=True)


def test_a_closed_archive_that_lost_its_end_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    written(path)
    with path.open("rb") as file:
        file.seek(archive_file.HEADER.size)
        frames = list(archive_file.frames(file))
    for end in (frames[-1].end - 1, frames[-2].end, frames[-3].end, archive_file.HEADER.size):
        with path.open("r+b") as file:
            file.truncate(end)
        contents(path)
        with pytest.raises(ArchiveBroken, match="cut off"):
            contents(path, closed=True)


def test_pages_cannot_be_swapped_taken_out_or_taken_from_another_archive(tmp_path: Path) -> None:
    path = tmp_path / "a"
    written(path)
    with path.open("rb") as file:
        header = file.read(archive_file.HEADER.size)
        frames = list(archive_file.frames(file))
    raw = path.read_bytes()
    parts = [raw[frame.at : frame.end] for frame in frames]
    for changed in ([parts[2], parts[1], parts[0], *parts[3:]], parts[2:], [parts[0], parts[3], *parts[2:]]):
        path.write_bytes(header + b"".join(changed))
        with pytest.raises(ArchiveBroken):
            contents(path)
    other = tmp_path / "b"
    ArchiveFile(other, key=KEY, run=secrets.token_bytes(16), most_bytes=MOST).append(records(3))
    with pytest.raises(ArchiveBroken):
        contents(other)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    written(tmp_path / "a")
    with pytest.raises(ArchiveBroken):
        contents(tmp_path / "a", key=secrets.token_bytes(32))


def test_a_full_archive_refuses_and_stays_as_it_was(tmp_path: Path) -> None:
    file = opened(tmp_path / "a", most=5_000)
    file.settle(file.append(records(20)), None)
    size = file.size_bytes
    with pytest.raises(ArchiveFull, match="used up"):
        file.append(records(200))
    assert file.size_bytes == size
    file.settle(file.append(records(5)), None)
    file.close(whole=True)
    assert [len(page) for page, _ in contents(tmp_path / "a")] == [20, 5]


def test_names_and_values_are_not_to_be_found_in_the_file(tmp_path: Path) -> None:
    file = opened(tmp_path / "a")
    file.append([Record(name=b"canary-name" * 5, content=b"canary-value" * 100)])
    file.close(whole=False)
    assert b"canary" not in (tmp_path / "a").read_bytes()


# -- of runs -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_archive_ends_with_its_time_and_its_row_stays(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", "a", "1")
    at = door(alice)
    run = at.does("keyspace.delete_key", name=b"a")
    row = StoredArchive.objects.get(run=run)
    path = archives.folder() / row.name
    assert path.exists() and archives.drop_expired() == 0
    StoredArchive.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert archives.drop_expired() == 1 and not path.exists() and archives.drop_expired() == 0
    kept = StoredArchive.objects.get(run=run)
    assert kept.dropped_at and not kept.is_there
    with pytest.raises(Gone, match="dropped"):
        at.plans("keyspace.delete_key.undo", run=run.pk)


@pytest.mark.django_db(transaction=True)
def test_the_cap_is_of_a_server_over_all_its_archives(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, settings: Any
) -> None:
    settings.ARCHIVE_CAP_BYTES = 10_000
    at = door(alice)
    for name in (b"a", b"b"):
        redis_clean.command("SET", name, os.urandom(4_000))
        assert at.does("keyspace.delete_key", name=name).state == "done"
    redis_clean.command("SET", "c", os.urandom(4_000))
    run = at.does("keyspace.delete_key", name=b"c")
    assert run.state == "failed" and "used up" in run.outcome and redis_clean.command("EXISTS", "c") == 1
    assert archives.room_bytes(at.server.key) < 4_000 and archives.room_bytes("another") == 10_000


@pytest.mark.django_db(transaction=True)
def test_dropping_one_by_hand_is_written_down(
    redis_clean: RedisServer, alice: Operator, bob: Operator, door: OpenDoor, as_operator: Any
) -> None:
    redis_clean.command("SET", "a", "1")
    run = door(alice).does("keyspace.delete_key", name=b"a")
    assert as_operator(bob).post(f"/runs/{run.pk}/kept/drop/").status_code == 403
    assert StoredArchive.objects.get().dropped_at is None
    assert as_operator(alice).post(f"/runs/{run.pk}/kept/drop/").status_code == 302
    assert StoredArchive.objects.get().dropped_at
    assert AuditEntry.objects.get(phase="console").action == "archive.drop"


@pytest.mark.django_db(transaction=True)
def test_what_was_kept_is_listed_by_name_for_whoever_could_have_run_it(
    redis_clean: RedisServer, alice: Operator, bob: Operator, erin: Operator, door: OpenDoor, as_operator: Any
) -> None:
    redis_clean.command("SET", b"cart:\xff<b>", "secret-value")
    run = door(alice).does("keyspace.delete_key", name=b"cart:\xff<b>")
    for operator, sees in ((alice, True), (erin, True), (bob, False)):
        page = as_operator(operator).get(f"/runs/{run.pk}/kept/")
        assert (page.status_code == 200) is sees
        assert (b"cart:" in page.content and b"&lt;b&gt;" in page.content) is sees
        assert b"secret-value" not in page.content
    listed = as_operator(alice).get("/archive/").content
    assert b"1 run can be put back" in listed and b"Plan the undo" in listed
    assert b"Plan the undo" not in as_operator(bob).get("/archive/").content


@pytest.mark.django_db
def test_there_is_a_key_for_archives_on_every_new_console(tmp_path: Path, settings: Any) -> None:
    settings.KEYS = tmp_path / "keys"
    call_command("make_keys", verbosity=0)
    assert (tmp_path / "keys").exists() is (tmp_path / "keys" / "archive").exists()

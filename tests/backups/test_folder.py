"""The folder is the list: what is no whole backup is never taken for one, and what killed runs left goes."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from apps.backups import folder
from apps.backups.folder import new_id
from apps.backups.sealed_file import BackupBroken, StoreFull
from apps.engine.errors import Gone
from tests.backups.kept import CONTENT, PART, everything, only_backup, put, whole

pytestmark = pytest.mark.usefixtures("private_folders")
OTHER_KEY = "b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgMzI="


def test_backups_are_listed_newest_first_and_paged() -> None:
    now = datetime.now(UTC)
    made = [put("cache", at=now - timedelta(hours=n)).name for n in range(5)]
    assert [each.name for each in folder.listed("cache")] == made
    assert [each.name for each in folder.listed("cache", after=made[1], most=2)] == made[2:4]
    assert folder.listed("other") == []


def test_a_draft_is_no_backup_and_is_gone_when_it_fails() -> None:
    with pytest.raises(ZeroDivisionError), folder.draft("cache", new_id(datetime.now(UTC))) as draft:
        draft.writer(PART).write(CONTENT)
        assert folder.listed("cache") == [] and len(everything()) == 4
        raise ZeroDivisionError
    assert everything() == [".unfinished"]


def test_a_draft_whose_writer_lives_is_left_alone_and_one_that_died_is_removed() -> None:
    with folder.draft("cache", new_id(datetime.now(UTC))) as draft:
        draft.writer(PART).write(CONTENT)
        left = folder.root() / folder.UNFINISHED / "cache.20260101T000000Z-0.dead"
        shutil.copytree(draft.folder, left)
        assert folder.clean() == 1
        assert draft.folder.exists() and not left.exists()


def test_two_of_one_name_never_become_one() -> None:
    """A worker that was taken for dead wakes up: the second finds its place taken, and the first stays whole."""
    first = put("cache")
    again = folder.BackupId(hex=first.name[-32:], at=first.begun_at)
    with folder.draft("cache", again) as draft, pytest.raises(StoreFull):
        assert first.manifest is not None
        draft.publish(first.manifest)
    assert whole(only_backup("cache"), PART) == CONTENT


def broken(how: str) -> None:
    backup = only_backup("cache")
    sealed, manifest = backup.folder / f"{PART}.sealed", backup.folder / "manifest.json"
    match how:
        case "missing":
            sealed.unlink()
        case "shorter":
            os.truncate(sealed, sealed.stat().st_size - 1)
        case "no manifest":
            manifest.unlink()
        case "edited":
            manifest.write_bytes(manifest.read_bytes().replace(b'"alice"', b'"malory"'))
        case "cut":
            manifest.write_bytes(manifest.read_bytes()[:-20])
        case "of another":
            backup.folder.rename(backup.folder.with_name(f"20200101T000000Z-{'0' * 32}"))


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("missing", "is missing"), ("shorter", "were written"), ("no manifest", "manifest cannot be read"),
        ("edited", "was changed"), ("cut", "cannot be read"), ("of another", "moved here"),
    ],
)  # fmt: skip
def test_what_is_broken_is_listed_and_says_why(how: str, told: str) -> None:
    put("cache")
    broken(how)
    assert told in only_backup("cache").problem
    with pytest.raises(BackupBroken):
        folder.check(only_backup("cache"))
    with pytest.raises(CommandError):
        call_command("rescan_backups", verbosity=0)


def test_one_changed_byte_that_no_size_tells_is_found_by_reading_it() -> None:
    backup = put("cache")
    sealed = backup.folder / f"{PART}.sealed"
    content = bytearray(sealed.read_bytes())
    content[len(content) // 2] ^= 1
    sealed.write_bytes(content)
    assert only_backup("cache").problem == ""
    call_command("rescan_backups", verbosity=0)
    with pytest.raises(CommandError):
        call_command("rescan_backups", "--whole", verbosity=0)
    with pytest.raises(BackupBroken, match="changed"):
        folder.check(backup)


def test_another_key_lists_it_as_closed_and_an_older_key_opens_it(settings: Settings) -> None:
    put("cache")
    mine = settings.BACKUP_KEYS
    settings.BACKUP_KEYS = OTHER_KEY
    assert "is not at hand" in only_backup("cache").problem
    settings.BACKUP_KEYS = f"{OTHER_KEY} {mine}"
    assert whole(only_backup("cache"), PART) == CONTENT


def test_deleting_takes_one_and_no_other() -> None:
    beside, other = put("cache"), put("orders")
    folder.delete(put("cache"))
    assert only_backup("cache").name == beside.name and only_backup("orders").name == other.name
    folder.delete(beside)
    with pytest.raises(Gone):
        folder.delete(beside)
    assert whole(only_backup("orders"), PART) == CONTENT


@pytest.mark.parametrize("name", ["..", "../orders", ".unfinished", "manifest.json", "x" * 49, ""])
def test_a_name_that_is_none_finds_nothing(name: str) -> None:
    put("cache")
    with pytest.raises(Gone):
        folder.find("cache", name)


def test_rescanning_removes_what_killed_runs_left(capsys: pytest.CaptureFixture[str]) -> None:
    put("cache")
    (folder.root() / folder.UNFINISHED / "cache.x.dead").mkdir()
    call_command("rescan_backups")
    said = capsys.readouterr().out
    assert "1 whole, 0 broken, 1 unfinished removed." in said and everything().count(".unfinished") == 1


def test_a_backup_is_opened_by_hand_with_nothing_but_its_folder_and_the_key(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """No database is asked: this test has none."""
    backup = put("cache")
    key = folder.root() / "key"
    key.write_text(settings.BACKUP_KEYS)
    settings.BACKUP_KEYS = OTHER_KEY
    to = folder.root() / "opened"
    call_command("open_backup", str(backup.folder), key=key, to=to)
    assert (to / PART).read_bytes() == CONTENT and (to / PART).stat().st_mode & 0o077 == 0
    assert "whole" in capsys.readouterr().out
    with pytest.raises(CommandError, match="exists"):
        call_command("open_backup", str(backup.folder), key=key, to=to)
    with pytest.raises(CommandError, match="is not at hand"):
        call_command("open_backup", str(backup.folder))

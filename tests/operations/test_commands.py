"""The audit and the archives from the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import Operator
from apps.operations import anchors, audit, audit_chain, tasks
from apps.operations.models import AuditEntry, ChainCheck, Run, StoredArchive
from apps.operations.models.audit import Phase
from tests.operations.door import OpenDoor
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)


def said(*words: str, **options: Any) -> str:
    out = StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def write(count: int) -> None:
    for n in range(count):
        audit.append(Phase.CONSOLE, actor="alice", action=f"step.{n}")


def tamper() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operations_auditentry SET actor = 'mallory' WHERE seq = 2")
        cursor.execute("DELETE FROM operations_auditentry WHERE seq = 4")


# -- audit_verify ------------------------------------------------------------------------------------------------------


def test_a_whole_audit_is_said_to_be_whole(private_folders: None) -> None:
    write(5)
    assert "5 rows, 1 to 5, unbroken" in said("audit_verify")
    assert "No anchor outside of the database" in said("audit_verify")
    anchors.drop_anchor()
    assert "1 anchors agree" in said("audit_verify") and "No anchor" not in said("audit_verify")


def test_each_fault_is_a_line_and_the_end_is_1(private_folders: None) -> None:
    write(5)
    tamper()
    out = StringIO()
    with pytest.raises(CommandError, match="broken in 2 places") as caught:
        call_command("audit_verify", stdout=out)
    assert caught.value.returncode == 1
    lines = out.getvalue().splitlines()
    assert lines[0] == "row 2: its columns actor say something else than what was written"
    assert lines[1] == "row 5: 1 rows before it are missing"
    assert ChainCheck.objects.get().problem == lines[0], "the page knows it too"


def test_the_verdict_as_json(private_folders: None) -> None:
    write(5)
    assert json.loads(said("audit_verify", "--json"))["ok"] is True
    tamper()
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("audit_verify", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert told["ok"] is False and told["rows_count"] == 4
    assert [problem["seq"] for problem in told["problems"]] == [2, 5]


@pytest.mark.parametrize(("is_whole", "code"), [(True, 0), (False, 1)])
def test_a_cron_job_can_tell_by_the_exit_code(
    is_whole: bool, code: int, private_folders: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(5)
    if not is_whole:
        tamper()
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.operations.notifier_settings")
    for name, value in {"BROKER": "", "WEBHOOK": "https://hooks.example.org/", "SECRET": "s"}.items():
        monkeypatch.setenv(f"NOTIFIER_{name}", value)
    monkeypatch.setenv("NOTIFIER_DATABASE", str(connection.settings_dict["NAME"]))
    command = [sys.executable, "manage.py", "audit_verify"]
    assert subprocess.run(command, cwd=django_settings.BASE_DIR, capture_output=True, check=False).returncode == code


# -- audit_anchor ------------------------------------------------------------------------------------------------------


def test_an_anchor_is_written_when_asked(private_folders: None, settings: Settings) -> None:
    assert "Nothing was added" in said("audit_anchor")
    write(3)
    assert "Row 3 is anchored in" in said("audit_anchor")
    assert json.loads(Path(settings.AUDIT_ANCHOR_FILES[0]).read_text())["seq"] == 3
    assert "Nothing was added" in said("audit_anchor")


def test_a_place_that_takes_no_anchor_is_named(private_folders: None, settings: Settings, tmp_path: Path) -> None:
    write(3)
    (tmp_path / "file").touch()
    settings.AUDIT_ANCHOR_FILES = [tmp_path / "file" / "below" / "anchors"]
    with pytest.raises(CommandError, match=r"No anchor could be written to .*/file/below/anchors: Not a directory"):
        call_command("audit_anchor")


def test_an_anchor_that_cannot_be_written_keeps_nothing_else_from_being_cleaned_up(
    private_folders: None, settings: Settings, tmp_path: Path, alice: Operator
) -> None:
    from apps.operations.models import Notice

    write(1)
    Notice.objects.create(operator=alice, signal="ok", words="old", url="/", at=timezone.now() - timedelta(days=2))
    (tmp_path / "file").touch()
    settings.AUDIT_ANCHOR_FILES = [tmp_path / "file" / "below" / "anchors"]
    with pytest.raises(OSError, match="Not a directory"):
        tasks.clean_up()
    assert not Notice.objects.exists()


# -- archives ----------------------------------------------------------------------------------------------------------

Deleted = Callable[[], Run]


@pytest.fixture
def deleted(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> Deleted:
    """A run that deleted three keys and kept them."""

    def run() -> Run:
        at = door(alice)
        for n in range(3):
            redis_clean.command("SET", f"cart:{n}", "apples")
        return at.does("keyspace.delete_pattern", pattern=b"cart:*")

    return run


def test_archives_are_listed_with_size_and_end(deleted: Deleted) -> None:
    assert said("archives", "list") == ""
    run = deleted()
    (line,) = said("archives", "list").splitlines()
    assert line.startswith(f"run {run.pk}  cache  keyspace.delete_pattern  3 originals")
    assert line.endswith(f"until {run.archive.expires_at:%Y-%m-%d %H:%M} UTC")
    assert "cart" not in line, "names are for whoever may see them"
    assert said("archives", "list", "--server", "other") == ""


def test_a_dropped_archive_is_gone_and_that_is_written_down(deleted: Deleted, settings: Settings) -> None:
    run = deleted()
    (file,) = Path(settings.ARCHIVE_FOLDER).rglob("*.sba")
    assert "cannot be undone any more" in said("archives", "drop", str(run.pk))
    assert not file.exists()
    entry = AuditEntry.objects.get(action="archive.drop")
    assert (entry.actor, entry.run_number, entry.server_key) == ("the terminal", run.pk, "cache")
    with pytest.raises(CommandError, match="has no archive, or it was dropped"):
        call_command("archives", "drop", str(run.pk))
    assert audit_chain.verify().ok


def test_the_archive_of_a_run_that_goes_on_is_not_dropped(deleted: Deleted, settings: Settings) -> None:
    run = deleted()
    Run.objects.filter(pk=run.pk).update(state="running")
    with pytest.raises(CommandError, match="goes on"):
        call_command("archives", "drop", str(run.pk))
    assert list(Path(settings.ARCHIVE_FOLDER).rglob("*.sba"))


def test_an_archive_is_kept_longer(deleted: Deleted) -> None:
    run = deleted()
    before = run.archive.expires_at
    said("archives", "extend", str(run.pk), hours=48)
    assert StoredArchive.objects.get(run=run).expires_at - before == timedelta(hours=48)
    assert AuditEntry.objects.get(action="archive.extend").run_number == run.pk
    for hours in (0, -1, 10**6):
        with pytest.raises(CommandError, match="--hours takes 1 to"):
            call_command("archives", "extend", str(run.pk), hours=hours)
    assert StoredArchive.objects.get(run=run).expires_at - before == timedelta(hours=48)

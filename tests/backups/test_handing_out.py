"""A backup is downloaded by who opened it: whole, once, for a while, and it is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, cast

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Operator, Role
from apps.operations.models import AuditEntry, Run
from apps.operations.planning import content_of
from tests.backups.kept import CONTENT, PART, everything, only_backup, put
from tests.conftest import grant, person
from tests.operations.door import Door, OpenDoor

pytestmark = pytest.mark.django_db(transaction=True)
AsOperator = Callable[[Operator], Client]
KEY = "backups.download_rdb"
PAGE = "/servers/cache/backups/"


@pytest.fixture
def opened(door: OpenDoor, alice: Operator) -> Run:
    """A run of alice's that opened the one backup there is."""
    at: Door = door(alice)
    return at.does(KEY, backup=put("cache").name)


def body(response: Any) -> bytes:
    return b"".join(cast(Iterable[bytes], response.streaming_content))


def take(client: Client, run: Run, part: str = PART) -> Any:
    return client.post(f"{PAGE}{run.pk}/{part}/")


def test_it_comes_as_it_was_written_once_and_is_in_the_audit(
    opened: Run, alice: Operator, as_operator: AsOperator
) -> None:
    client = as_operator(alice)
    assert b"Open to you" in client.get(PAGE).content
    response = take(client, opened)
    assert body(response) == CONTENT
    assert response["Content-Length"] == str(len(CONTENT)) and response["Cache-Control"] == "no-store"
    assert 'filename="cache-' in response["Content-Disposition"]
    (entry,) = AuditEntry.objects.filter(phase="read", action="backups.download")
    assert (entry.actor, entry.server_key, entry.run_number) == ("alice", "cache", opened.pk)
    assert take(client, opened).status_code == 302
    assert b"Open to you" not in client.get(PAGE).content
    assert AuditEntry.objects.filter(phase="read", action="backups.download").count() == 1


def test_it_is_open_to_nobody_else_who_might_have_opened_it(opened: Run, as_operator: AsOperator) -> None:
    other = person("another")
    grant(other, Role.MAINTAINER)
    client = as_operator(other)
    assert b"Open to you" not in client.get(PAGE).content
    assert take(client, opened).status_code == 302


def test_a_viewer_sees_the_list_and_nothing_to_press(opened: Run, bob: Operator, as_operator: AsOperator) -> None:
    client = as_operator(bob)
    page = client.get(PAGE).content.decode()
    assert "whole" in page and "backups.download_rdb" not in page and "backups.delete_rdb" not in page
    assert "backups.take_rdb" not in page
    assert take(client, opened).status_code == 403


def test_it_closes_by_itself(opened: Run, alice: Operator, as_operator: AsOperator) -> None:
    Run.objects.filter(pk=opened.pk).update(finished_at=timezone.now() - timedelta(minutes=16))
    client = as_operator(alice)
    assert take(client, opened).status_code == 302
    assert not AuditEntry.objects.filter(phase="read", action="backups.download").exists()


@pytest.mark.parametrize("part", ["roles.sql", "manifest.json", "..", "%2e%2e%2fmanifest.json"])
def test_a_part_that_it_does_not_have_is_refused(
    part: str, opened: Run, alice: Operator, as_operator: AsOperator
) -> None:
    assert take(as_operator(alice), opened, part).status_code in (302, 404)


def test_a_get_hands_nothing_out(opened: Run, alice: Operator, as_operator: AsOperator) -> None:
    client = as_operator(alice)
    assert client.get(f"{PAGE}{opened.pk}/{PART}/").status_code == 405
    assert body(take(client, opened)) == CONTENT


def test_a_damaged_one_is_not_opened(door: OpenDoor, alice: Operator, as_operator: AsOperator) -> None:
    at, backup = door(alice), put("cache")
    plan = at.plans(KEY, backup=backup.name)
    sealed = backup.folder / f"{PART}.sealed"
    content = bytearray(sealed.read_bytes())
    content[-30] ^= 1
    sealed.write_bytes(content)
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "changed" in run.outcome
    assert take(as_operator(alice), run).status_code == 302


# -- deleting ----------------------------------------------------------------------------------------------------------


def test_the_plan_says_when_it_is_the_last_one_and_only_it_goes(door: OpenDoor, alice: Operator) -> None:
    at, first = door(alice), put("cache")
    put("orders")
    assert "the last whole backup" in str(content_of(at.plans("backups.delete_rdb", backup=first.name)).warnings)
    second = put("cache")
    assert not content_of(at.plans("backups.delete_rdb", backup=second.name)).warnings
    assert at.does("backups.delete_rdb", backup=second.name).state == "done"
    assert only_backup("cache").name == first.name and only_backup("orders").problem == ""
    assert not [path for path in everything() if path.startswith(".unfinished/")]


def test_a_broken_one_can_be_deleted(door: OpenDoor, alice: Operator) -> None:
    at, backup = door(alice), put("cache")
    (backup.folder / "manifest.json").unlink()
    assert at.does("backups.delete_rdb", backup=backup.name).state == "done"
    assert everything() == [".unfinished", "cache"]

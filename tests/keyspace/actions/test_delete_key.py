"""One key goes, after it was kept, and nothing else does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.engine.contracts.archive import Record
from apps.engine.errors import Gone, Unsupported
from apps.operations.archives import RunArchive, originals_of
from apps.operations.planning import content_of
from tests.operations.door import OpenDoor, outcome_of
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = b"cart:\x00\xff<script>\r\n:1"


def _prepare(server: RedisServer) -> dict[str, Any]:
    server.command("HSET", HOSTILE, "a", "1")
    server.command("PEXPIRE", HOSTILE, 900_000)
    server.command("SET", "cart:2", "left alone")
    return {"name": HOSTILE}


SCENARIO = Scenario(prepare=_prepare, changed=lambda server: server.command("KEYS", "*") == [b"cart:2"])


def test_a_key_that_is_gone_already_has_no_plan(alice: Operator, door: OpenDoor) -> None:
    with pytest.raises(Gone):
        door(alice).plans("keyspace.delete_key", name=b"nobody")


def test_a_key_that_became_another_type_meanwhile_is_left(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", "a", "1")
    at = door(alice)
    plan = at.plans("keyspace.delete_key", name=b"a")
    redis_clean.command("DEL", "a")
    redis_clean.command("RPUSH", "a", "1")
    run = at.submits(plan)
    run.refresh_from_db()
    assert run.state == "failed" and "Type of the key" in run.outcome
    assert redis_clean.command("TYPE", "a") == b"list"


def test_a_key_of_another_database_is_deleted_there(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    redis_clean.command("SET", "a", "here")
    redis_clean.command("SELECT", 3)
    redis_clean.command("SET", "a", "there")
    run = door(alice).does("keyspace.delete_key", name=b"a", db=3)
    assert run.state == "done"
    assert redis_clean.command("EXISTS", "a") == 0
    redis_clean.command("SELECT", 0)
    assert redis_clean.command("GET", "a") == b"here"


def test_a_key_that_never_rests_is_kept_and_the_run_says_so(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write between keeping and deleting makes it begin again; after three times it gives up, and nothing was lost."""
    redis_clean.command("SET", "hot", "0")
    append, writes = RunArchive.append, []

    def and_somebody_writes(self: RunArchive, records: Sequence[Record]) -> int:
        page = append(self, records)
        writes.append(redis_clean.command("APPEND", "hot", "x"))
        return page

    monkeypatch.setattr(RunArchive, "append", and_somebody_writes)
    run = door(alice).does("keyspace.delete_key", name=b"hot")
    assert run.state == "failed" and "keeps changing" in run.outcome
    assert redis_clean.command("GET", "hot") == b"0xxx" and len(writes) == 3
    kept = originals_of(run)
    assert kept is not None and kept.count == 0


def test_a_replica_is_refused(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    redis_clean.command("SET", "a", "1")
    redis_clean.command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(Unsupported, match="replica"):
            door(alice).plans("keyspace.delete_key", name=b"a")
    finally:
        redis_clean.command("REPLICAOF", "NO", "ONE")


def test_the_plan_shows_the_name_as_bytes_and_the_outcome_says_what_went(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", HOSTILE, "1")
    at = door(alice)
    said = content_of(at.plans("keyspace.delete_key", name=HOSTILE))
    assert said.of[0].name == HOSTILE and said.most_count == 1
    assert all("<script>" not in line or "\\x00" in line for line in said.commands)
    run = at.does("keyspace.delete_key", name=HOSTILE)
    assert outcome_of(run).said[1].name == HOSTILE

"""A Redis is backed up over the replication stream: what was taken is loaded by a real server and is the same."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.accounts.models import Operator
from apps.backups import folder
from apps.backups.actions import take_rdb
from apps.backups.reads.snapshot import snapshot_facts
from apps.engine.embedded.place import free_port
from apps.engine.embedded.redis import EmbeddedRedis
from apps.engine.target import Profile
from apps.operations import execution
from apps.operations.models import Run
from apps.operations.planning import content_of
from apps.servers.capabilities import features
from apps.servers.models import Credential, Server
from tests.backups.kept import everything, only_backup, whole
from tests.faults.conftest import until
from tests.operations.door import Door, actor_for, register_redis
from tests.operations.scenario import Scenario, redis_digest, values
from tests.real_servers import REDIS_SETTINGS, RedisServer, connected
from tests.servers.conftest import PASSWORD, redis_account
from tests.targets import redis_target

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "backups.take_rdb"


def _prepare(server: RedisServer) -> dict[str, object]:
    server.command("SET", "cart:1", "three apples")
    return {}


def _changed(server: RedisServer) -> bool:
    return whole(only_backup("cache"), "dump.rdb").startswith((b"REDIS", b"VALKEY"))


SCENARIO = Scenario(prepare=_prepare, changed=_changed)


def furnish(server: RedisServer) -> None:
    """Every type, names that are no text, an expiry, a second database, and some size."""
    server.command("SELECT", 3)
    server.command("SET", "elsewhere", "kept")
    server.command("SELECT", 0)
    server.command("SET", b"\x00\xff \n'\"", b"\r\n$EOF:")
    server.command("SET", "soon", "x", "PX", 3_600_000)
    server.command("HSET", "hash", "f", "v")
    server.command("RPUSH", "list", *map(str, range(300)))
    server.command("SADD", "set", "a", "b")
    server.command("ZADD", "zset", "1.5", "m")
    server.command("XADD", "stream", "1-1", "f", "v")
    for n in range(2000):
        server.command("SET", f"cart:{n}", f"{n}" * 50)


@contextmanager
def loaded(server: RedisServer, rdb: bytes, folder: Path) -> Iterator[RedisServer]:
    """A server of the same version that found this RDB when it started."""
    folder.mkdir()
    (folder / "dump.rdb").write_bytes(rdb)
    with EmbeddedRedis(server.embedded.binary, folder, port=free_port(), settings=REDIS_SETTINGS) as embedded:
        other = connected(embedded)
        yield other
        other.client.close()


def _at(server: RedisServer, operator: Operator, **fields: Any) -> Door:
    return Door(actor=actor_for(operator), server=register_redis(server, **fields))


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_what_was_taken_is_loaded_by_a_server_and_is_the_same(
    diskless: str, each_redis: RedisServer, alice: Operator, private_folders: None, tmp_path: Path
) -> None:
    """In both forms of the stream: sent while it is written, ended by a mark; and sent from a file, of a known size."""
    furnish(each_redis)
    each_redis.command("CONFIG", "SET", "repl-diskless-sync", diskless)
    before = redis_digest(each_redis)
    run = _at(each_redis, alice).does(KEY)
    assert run.state == "done", run.outcome
    assert redis_digest(each_redis) == before, "nothing on the server is another"
    backup = only_backup("cache")
    assert backup.manifest is not None and backup.manifest.by == "alice" and backup.manifest.number == run.pk
    assert backup.manifest.as_of is not None and "redis-ver" in str(backup.manifest.facts)
    with loaded(each_redis, whole(backup, "dump.rdb"), tmp_path / "loaded") as other:
        for database in (0, 3):
            each_redis.command("SELECT", database)
            other.command("SELECT", database)
            assert values(other) == values(each_redis)
        each_redis.command("SELECT", 0)
        other.command("SELECT", 0)
        assert 3_000_000 < other.command("PTTL", "soon") <= 3_600_000
    each_redis.command("CONFIG", "SET", "repl-diskless-sync", "yes" if each_redis.version >= (7, 0, 0) else "no")


def test_a_server_without_a_key_is_backed_up_as_well(
    redis_clean: RedisServer, alice: Operator, private_folders: None
) -> None:
    assert _at(redis_clean, alice).does(KEY).state == "done"
    assert whole(only_backup("cache"), "dump.rdb")[-9] == 0xFF


def test_the_file_holds_nothing_in_clear_and_is_for_nobody_else(
    redis_clean: RedisServer, alice: Operator, private_folders: None
) -> None:
    redis_clean.command("SET", "a-telling-name", "a-telling-value")
    assert _at(redis_clean, alice).does(KEY).state == "done"
    backup = only_backup("cache")
    for path in backup.folder.iterdir():
        assert b"a-telling" not in path.read_bytes() and path.stat().st_mode & 0o077 == 0
    assert backup.folder.stat().st_mode & 0o077 == 0
    assert everything() == [
        ".unfinished", "cache", f"cache/{backup.name}", f"cache/{backup.name}/dump.rdb.sealed", f"cache/{backup.name}/manifest.json",
    ]  # fmt: skip


def test_the_rights_that_are_documented_are_enough_and_no_more_are_asked(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    version = each_redis.version[:2]
    needed = [f for f in features("redis") if f.key in ("connect", "backups.rdb")]
    redis_account(each_redis, [rule for feature in needed for rule in feature.rules(version)])
    each_redis.command("SET", "a", "1")
    server = register_redis(each_redis)
    Credential.objects.keep(server, Profile.BACKUP, username="signalbox", password=PASSWORD)
    run = Door(actor=actor_for(alice), server=Server.objects.get()).does(KEY)
    assert run.state == "done", run.outcome
    denied = [dict(zip(e[::2], e[1::2], strict=True)) for e in each_redis.command("ACL", "LOG")]
    assert [entry[b"object"] for entry in denied] == []


@pytest.mark.parametrize("missing", ["+psync", "+replconf"])
def test_an_account_without_the_right_is_told_which_and_nothing_is_kept(
    missing: str, redis_clean: RedisServer, alice: Operator, private_folders: None
) -> None:
    redis_account(redis_clean, ["+@all", f"-{missing[1:]}", "~*"])
    server = register_redis(redis_clean)
    Credential.objects.keep(server, Profile.BACKUP, username="signalbox", password=PASSWORD)
    run = Door(actor=actor_for(alice), server=Server.objects.get()).does(KEY)
    assert run.state == "failed" and missing in run.outcome and "Nothing of it was kept" in run.outcome
    assert everything() == [".unfinished"]


def _in_a_thread(run: Run) -> threading.Thread:
    def work() -> None:
        try:
            execution.execute(run.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_stopped_while_the_server_prepares_nothing_is_kept(
    redis_clean: RedisServer, alice: Operator, private_folders: None
) -> None:
    redis_clean.command("CONFIG", "SET", "repl-diskless-sync-delay", "600")
    at = _at(redis_clean, alice)
    run = at.submits(at.plans(KEY))
    worker = _in_a_thread(run)
    try:
        until(lambda: "prepares" in Run.objects.get(pk=run.pk).note)
        execution.ask_to_stop(run, by=at.actor)
    finally:
        worker.join(30)
    run.refresh_from_db()
    assert run.state == "cancelled" and "Nothing of it was kept" in run.outcome
    assert everything() == [".unfinished"]
    until(lambda: redis_clean.client.info("replication")["connected_slaves"] == 0)


def test_a_server_that_falls_silent_ends_the_run(
    own: Callable[..., RedisServer], alice: Operator, private_folders: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that prepares says every second that it lives; this one stands still."""
    monkeypatch.setattr(take_rdb, "STALLS_AFTER_S", 2.0)
    server = own(**{"repl-diskless-sync-delay": "600"})
    at = _at(server, alice)
    run = at.submits(at.plans(KEY))
    worker = _in_a_thread(run)
    pid = server.embedded.pid
    assert pid is not None
    try:
        until(lambda: "prepares" in Run.objects.get(pk=run.pk).note)
        os.kill(pid, signal.SIGSTOP)
        worker.join(30)
    finally:
        os.kill(pid, signal.SIGCONT)
    run.refresh_from_db()
    assert run.state == "failed" and "has sent nothing for" in run.outcome
    assert everything() == [".unfinished"]


def test_a_replica_that_lost_its_primary_is_not_asked(
    own: Callable[..., RedisServer], alice: Operator, private_folders: None
) -> None:
    replica = own()
    replica.command("REPLICAOF", "127.0.0.1", str(free_port()))
    assert "lost its primary" in str(content_of(_at(replica, alice).plans(KEY)).blocked)


def test_a_service_that_leaves_psync_out_is_told_so(
    own: Callable[..., RedisServer], alice: Operator, private_folders: None
) -> None:
    server = own(**{"rename-command": 'PSYNC ""'})
    assert "has no PSYNC" in str(content_of(_at(server, alice).plans(KEY)).blocked)


def test_the_plan_is_honest_about_the_fork_and_memory(each_redis: RedisServer, alice: Operator) -> None:
    furnish(each_redis)
    said = str(content_of(_at(each_redis, alice).plans(KEY)))
    assert "every client waits for one fork" in said and "MiB more while clients write" in said
    assert ("client-output-buffer-limit" in said) == (each_redis.version < (7, 0, 0))


def test_keys_of_all_databases_are_counted(redis_clean: RedisServer) -> None:
    furnish(redis_clean)
    assert snapshot_facts(redis_target(redis_clean)).keys_count == 2008


def test_a_disk_that_has_no_room_ends_the_run_and_nothing_is_kept(
    redis_clean: RedisServer, alice: Operator, private_folders: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = _at(redis_clean, alice)
    plan = at.plans(KEY)
    monkeypatch.setattr(folder, "RESERVE_BYTES", 1 << 60)
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "Make room" in run.outcome
    assert everything() == [".unfinished"]
    assert "disk of the backups is full" in str(content_of(at.plans(KEY)).blocked)


def test_a_run_that_lost_its_worker_after_the_move_finds_its_backup_and_takes_no_second(
    redis_clean: RedisServer, alice: Operator, private_folders: None
) -> None:
    at = _at(redis_clean, alice)
    run = at.does(KEY)
    Run.objects.filter(pk=run.pk).update(state="queued", token="", finished_at=None)
    assert at.carries_out(Run.objects.get(pk=run.pk)).state == "done"
    assert only_backup("cache").manifest is not None


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """A Redis of this test alone, with settings that cannot be changed at run time."""
    from apps.engine.embedded import binaries
    from tests.real_servers import CACHE

    begun: list[RedisServer] = []

    def start(**settings: str) -> RedisServer:
        embedded = EmbeddedRedis(
            binaries.find_redis(CACHE), tmp_path / "own", port=free_port(), settings={**REDIS_SETTINGS, **settings}
        )
        begun.append(connected(embedded.start()))
        return begun[-1]

    yield start
    for server in begun:
        server.client.close()
        server.embedded.stop()

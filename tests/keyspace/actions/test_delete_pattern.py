"""Keys go by pattern: what matches, all of it, kept before, and nothing else."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.engine.connections.redis import redis_node
from apps.engine.contracts.action import Refused
from apps.engine.contracts.archive import Record
from apps.engine.target import Target
from apps.keyspace.changes import Deleting
from apps.operations import execution, locks, planning
from apps.operations.archives import RunArchive, originals_of
from apps.operations.models import Plan, Run, StoredArchive
from apps.operations.planning import content_of, digest_of
from apps.operations.stored import to_json
from tests.operations.door import Door, OpenDoor, outcome_of, register_redis
from tests.operations.scenario import Scenario, values
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
ACTION = "keyspace.delete_pattern"
FULL = {"pace": "full"}


def furnish(server: RedisServer, count: int = 500) -> None:
    """Keys of every type that match cart:tmp:*, and others that look like them."""
    pipe: Any = server.client.pipeline(transaction=False)
    for n in range(count):
        pipe.execute_command("SET", b"cart:tmp:s%d" % n, b"v%d" % n)
        if n % 5 == 0:
            pipe.execute_command("PEXPIRE", b"cart:tmp:s%d" % n, 3_600_000)
        pipe.execute_command("SET", b"cart:user:%d" % n, "stays")
    pipe.execute_command("HSET", "cart:tmp:hash", "a", 1)
    pipe.execute_command("RPUSH", "cart:tmp:list", *range(50))
    pipe.execute_command("SADD", "cart:tmp:set", "a", "b")
    pipe.execute_command("ZADD", "cart:tmp:zset", 1, "a")
    pipe.execute_command("XADD", "cart:tmp:stream", "1-1", "a", "b")
    pipe.execute_command("SET", b"cart:tmp:\xff\x00\r\n", b"\x00\xff")
    pipe.execute_command("SET", "xcart:tmp:1", "stays")
    pipe.execute_command("SET", "cart:tmp", "stays")
    pipe.execute()


def _prepare(server: RedisServer) -> dict[str, Any]:
    furnish(server, 60)
    return {"pattern": b"cart:tmp:*", **FULL}


def _changed(server: RedisServer) -> bool:
    left = server.command("KEYS", "*")
    return len(left) == 62 and not any(name.startswith(b"cart:tmp:") for name in left)


SCENARIO = Scenario(prepare=_prepare, changed=_changed)


def names(server: RedisServer) -> set[bytes]:
    return set(server.command("KEYS", "*"))


# -- what matches ------------------------------------------------------------------------------------------------------


def test_the_plan_counts_exactly_what_the_run_deletes(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    furnish(redis_clean)
    at = door(alice)
    said = content_of(at.plans(ACTION, pattern=b"cart:tmp:*", **FULL))
    assert said.most_count == 506 and said.effect == "Delete 506 keys"
    assert said.sample and len(said.sample.rows) == 20
    run = at.does(ACTION, pattern=b"cart:tmp:*", **FULL)
    assert (run.state, run.done_count) == ("done", 506)
    assert names(redis_clean) == {b"cart:user:%d" % n for n in range(500)} | {b"xcart:tmp:1", b"cart:tmp"}


@pytest.mark.parametrize("pattern", [b"*", b"***", b"?*", b"[a-z]*".replace(b"a-z", b"^^")])
def test_a_pattern_that_fits_everything_is_refused(pattern: bytes, alice: Operator, door: OpenDoor) -> None:
    with pytest.raises(Refused, match="every key"):
        door(alice).plans(ACTION, pattern=pattern)


def test_the_letters_of_a_folder_mean_themselves(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    """A folder called us* must not delete user:* and usage:*."""
    for name in ("us*:1", "us*:2", "user:1", "usage:1", "us[e]r:1"):
        redis_clean.command("SET", name, "1")
    run = door(alice).does(ACTION, folder=b"us*:", **FULL)
    assert run.state == "done"
    assert names(redis_clean) == {b"user:1", b"usage:1", b"us[e]r:1"}
    run = door(alice, key="again").does(ACTION, folder=b"us[e]r:", pattern=b"?", **FULL)
    assert names(redis_clean) == {b"user:1", b"usage:1"} and run.done_count == 1


def test_a_type_narrows_it_down(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    furnish(redis_clean, 10)
    run = door(alice).does(ACTION, pattern=b"cart:tmp:*", key_type="hash", **FULL)
    assert run.done_count == 1 and b"cart:tmp:hash" not in names(redis_clean) and b"cart:tmp:s1" in names(redis_clean)


def test_only_the_chosen_database_is_touched(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    redis_clean.command("SET", "cart:tmp:1", "db 0")
    redis_clean.command("SELECT", 3)
    redis_clean.command("SET", "cart:tmp:1", "db 3")
    try:
        run = door(alice).does(ACTION, pattern=b"cart:tmp:*", db=3, **FULL)
        assert run.done_count == 1 and names(redis_clean) == set()
        redis_clean.command("SELECT", 0)
        assert redis_clean.command("GET", "cart:tmp:1") == b"db 0"
        undo = door(alice, key="again", server=run.server).does(f"{ACTION}.undo", run=run.pk)
        assert undo.state == "done"
        redis_clean.command("SELECT", 3)
        assert redis_clean.command("GET", "cart:tmp:1") == b"db 3"
    finally:
        redis_clean.command("SELECT", 0)


def test_nothing_that_matches_is_a_plan_that_cannot_be_run(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    plan = at.plans(ACTION, pattern=b"nobody:*")
    assert content_of(plan).blocked
    with pytest.raises(Refused, match="nothing"):
        at.submits(plan)


# -- kept, and put back ------------------------------------------------------------------------------------------------


def test_undo_puts_every_key_back_as_it_was(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    furnish(redis_clean)
    before, at = values(redis_clean), door(alice)
    run = at.does(ACTION, pattern=b"cart:tmp:*", **FULL)
    undo = at.does(f"{ACTION}.undo", run=run.pk)
    assert (undo.state, undo.done_count) == ("done", 506)
    assert values(redis_clean) == before
    assert 3_500_000 < redis_clean.command("PTTL", "cart:tmp:s0") <= 3_600_000
    assert redis_clean.command("PTTL", "cart:tmp:s1") == -1


def test_undo_leaves_alone_what_exists_again_and_does_not_revive_what_would_have_expired(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", "cart:tmp:back", "old")
    redis_clean.command("SET", "cart:tmp:short", "old", "PX", 1500)
    redis_clean.command("SET", "cart:tmp:plain", "old")
    at = door(alice)
    run = at.does(ACTION, pattern=b"cart:tmp:*", **FULL)
    redis_clean.command("SET", "cart:tmp:back", "new")
    redis_clean.command("SET", "wait", "1", "PX", 1600)
    while redis_clean.command("EXISTS", "wait"):
        pass
    undo = at.does(f"{ACTION}.undo", run=run.pk)
    counted = {figure.label: figure.amount.value for figure in outcome_of(undo).figures}
    assert counted == {"Put back": 1, "Left alone": 1, "Expired meanwhile": 1, "Failed": 0}
    assert redis_clean.command("GET", "cart:tmp:back") == b"new"
    assert redis_clean.command("EXISTS", "cart:tmp:short") == 0


def test_undo_in_part_puts_back_what_its_pattern_names(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    furnish(redis_clean, 20)
    at = door(alice)
    run = at.does(ACTION, pattern=b"cart:tmp:*", **FULL)
    undo = at.does(f"{ACTION}.undo", run=run.pk, only="cart:tmp:s1?")
    assert undo.done_count == 10
    assert {n for n in names(redis_clean) if n.startswith(b"cart:tmp:")} == {b"cart:tmp:s1%d" % n for n in range(10)}


def test_the_archive_tells_nobody_anything(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, settings: Any
) -> None:
    redis_clean.command("SET", "cart:tmp:canary-name", "canary-value " * 100)
    run = door(alice).does(ACTION, pattern=b"cart:tmp:*", **FULL)
    kept = StoredArchive.objects.get(run=run)
    raw = (settings.ARCHIVE_FOLDER / kept.name).read_bytes()
    assert b"canary" not in raw and kept.settled_count == 1
    assert (settings.ARCHIVE_FOLDER / kept.name).stat().st_mode & 0o777 == 0o600


def test_without_an_archive_nothing_is_kept_and_the_plan_says_so(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    furnish(redis_clean, 50)
    at = door(alice)
    assert not content_of(at.plans(ACTION, pattern=b"cart:tmp:*", archive=False)).undo
    run = at.does(ACTION, pattern=b"cart:tmp:*", archive=False, **FULL)
    assert (run.state, run.done_count) == ("done", 56) and originals_of(run) is None
    with pytest.raises(Refused, match="kept nothing"):
        at.plans(f"{ACTION}.undo", run=run.pk)


@pytest.mark.parametrize(("large", "left", "kept"), [("leave", True, 1), ("keep", False, 2), ("drop", False, 1)])
def test_keys_over_four_megabytes_are_left_unless_told_otherwise(
    large: str, left: bool, kept: int, redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", "cart:tmp:large", b"x" * 5_000_000)
    redis_clean.command("SET", "cart:tmp:small", "x")
    run = door(alice).does(ACTION, pattern=b"cart:tmp:*", large=large, **FULL)
    assert run.state == "done"
    assert bool(redis_clean.command("EXISTS", "cart:tmp:large")) is left
    found = originals_of(run)
    assert found is not None and len(list(found.records())) == kept


def test_an_archive_that_is_full_stops_the_run_and_what_went_is_kept(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, settings: Any
) -> None:
    settings.ARCHIVE_CAP_BYTES = 60_000
    pipe: Any = redis_clean.client.pipeline(transaction=False)
    for n in range(300):
        pipe.execute_command("SET", f"cart:tmp:{n}", os.urandom(400))
    pipe.execute()
    before, at = values(redis_clean), door(alice)
    run = at.does(ACTION, pattern=b"cart:tmp:*")
    assert run.state == "partial" and "used up" in run.outcome and 0 < run.done_count < 300
    settings.ARCHIVE_CAP_BYTES = 10_000_000
    at.does(f"{ACTION}.undo", run=run.pk)
    assert values(redis_clean) == before


# -- others at the same time -------------------------------------------------------------------------------------------


@contextmanager
def writing(server: RedisServer, write: Any) -> Iterator[None]:
    """A second client that writes as fast as it can."""
    over = threading.Event()

    def work() -> None:
        other: Any
        client: Any = server.client
        with client.client() as other:
            n = 0
            while not over.is_set():
                write(other, n)
                n += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_write_in_between_is_lost_by_neither_side(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    """A second client counts keys up while they are deleted: what was kept and what is there now add up to what it wrote."""
    for n in range(300):
        redis_clean.command("SET", f"cart:tmp:{n}", "0")
    at = door(alice)
    plan = at.plans(ACTION, pattern=b"cart:tmp:*", **FULL)
    written = [0] * 300

    def write(other: Any, n: int) -> None:
        other.execute_command("INCR", f"cart:tmp:{n % 300}")
        written[n % 300] += 1

    with writing(redis_clean, write):
        run = at.carries_out(at.submits(plan))
    assert run.state in ("done", "partial"), run.outcome
    kept = originals_of(run)
    assert kept is not None
    counted = [0] * 300
    for record in kept.records():
        redis_clean.command("RESTORE", "look", 0, record.content, "REPLACE")
        counted[int(record.name.split(b":")[2])] += int(redis_clean.command("GET", "look"))
    for n in range(300):
        counted[n] += int(redis_clean.command("GET", f"cart:tmp:{n}") or 0)
    assert counted == written


def test_more_keys_than_planned_and_a_tenth_are_never_touched(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    for n in range(200):
        redis_clean.command("SET", f"cart:tmp:{n}", "1")
    at = door(alice)
    plan = at.plans(ACTION, pattern=b"cart:tmp:*")
    for n in range(200, 2000):
        redis_clean.command("SET", f"cart:tmp:{n}", "1")
    run = at.carries_out(at.submits(plan))
    assert run.state == "partial" and "More keys match" in run.outcome
    assert run.done_count <= 230 and len(names(redis_clean)) == 2000 - run.done_count


def test_a_server_that_was_restarted_since_the_plan_is_left_alone(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", "cart:tmp:1", "1")
    at = door(alice)
    plan = at.plans(ACTION, pattern=b"cart:tmp:*", **FULL)
    said = content_of(plan)
    plan.content = to_json(replace(said, observed=dict.fromkeys(said.observed, "another life")))
    plan.digest = digest_of(plan, at.server)
    plan.save()
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "run of" in run.outcome and names(redis_clean) == {b"cart:tmp:1"}


def test_it_stops_after_the_present_page_and_says_how_far_it_was(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(redis_clean, 2000)
    at = door(alice)
    run = at.submits(at.plans(ACTION, pattern=b"cart:tmp:*", **FULL))
    prepared = Deleting.prepared
    pages = []

    def ask_to_stop_at_the_third(self: Deleting, *args: Any, **more: Any) -> Any:
        pages.append(1)
        if len(pages) == 3:
            execution.ask_to_stop(run, by=at.actor)
            _beat_now(run)
        return prepared(self, *args, **more)

    monkeypatch.setattr(Deleting, "prepared", ask_to_stop_at_the_third)
    run = at.carries_out(run)
    assert run.state == "cancelled" and 0 < run.done_count < 2006
    matching = [name for name in names(redis_clean) if name.startswith(b"cart:tmp:")]
    assert len(matching) == 2006 - run.done_count
    kept = originals_of(run)
    assert kept is not None and kept.count == run.done_count


def _beat_now(run: Run) -> None:
    """Wait for the heartbeat that carries the wish to stop, instead of a second."""
    time.sleep(1.3)


def test_two_runs_on_one_server_go_one_after_the_other(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    furnish(redis_clean, 20)
    at = door(alice)
    first = at.submits(at.plans(ACTION, pattern=b"cart:tmp:*", **FULL))
    second = at.submits(at.plans(ACTION, pattern=b"cart:user:*", **FULL))
    claimed = execution._claimed(first.pk)
    assert claimed is not None and locks.take(claimed)
    second = at.carries_out(second)
    assert second.state == "queued" and f"run {first.pk}" in second.note
    locks.give_back(claimed.token)
    assert at.carries_out(second).state == "done"


# -- large -------------------------------------------------------------------------------------------------------------


def test_a_long_count_goes_on_in_the_background(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    pipe: Any = redis_clean.client.pipeline(transaction=False)
    for n in range(60_000):
        pipe.execute_command("SET", b"cart:tmp:%d" % n if n % 3 == 0 else b"other:%d" % n, b"x")
        if n % 10_000 == 0:
            pipe.execute()
    pipe.execute()
    at = door(alice, load_budget_ratio=0.02)
    plan = at.plans(ACTION, pattern=b"cart:tmp:*")
    assert plan.state == "waiting"
    Plan.objects.filter(pk=plan.pk).update(server=at.server)
    at.server.load_budget_ratio = 1.0
    at.server.save()
    planning.plan_in_background(plan.pk)
    plan.refresh_from_db()
    assert plan.state == "ready" and content_of(plan).most_count == 20_000
    memory = next(figure.amount for figure in content_of(plan).figures if figure.label == "Memory freed")
    true = sum(redis_clean.command("MEMORY", "USAGE", b"cart:tmp:%d" % n) for n in range(0, 60_000, 3))
    assert memory.low is not None and memory.high is not None
    assert memory.low * 0.99 <= true <= memory.high * 1.01


def test_what_a_dead_try_kept_and_never_settled_is_asked_of_the_server(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    """A key that is there but not as it was kept either was written to, or was removed and came back. Its part knows."""
    for name in ("idle", "busy", "back", "alone"):
        redis_clean.command("SET", name, "kept")
    kept = redis_clean.command("DUMP", "idle")
    for name in ("busy", "back", "alone"):
        redis_clean.command("SET", name, "written since")
    parts = {b"idle": 0, b"busy": 0, b"gone": 1, b"back": 1, b"alone": 2}
    records = [Record(name=name, content=kept, part=part) for name, part in parts.items()]
    target: Target = door(alice).server.target()
    with redis_node(target) as node:
        changed = Deleting(keeps=True, large="leave").is_changed(node, records)
    assert [records[index].name for index in changed] == [b"gone", b"back", b"alone"]


def test_on_every_version_at_hand(each_redis: RedisServer, alice: Operator, door: OpenDoor) -> None:
    furnish(each_redis, 100)
    before = values(each_redis)
    at: Door = door(alice, server=register_redis(each_redis, key="other"))
    run = at.does(ACTION, pattern=b"cart:tmp:*", **FULL)
    assert (run.state, run.done_count) == ("done", 106)
    assert at.does(f"{ACTION}.undo", run=run.pk).done_count == 106
    assert values(each_redis) == before


def test_a_key_that_came_back_and_went_twice_comes_back_as_it_was_last(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted, written anew by somebody, and deleted again by the same run: both originals are kept, the newer counts."""
    for n in range(600):
        redis_clean.command("SET", f"cart:tmp:{n}", "old")
    append, pages = RunArchive.append, []

    def and_somebody_writes(self: RunArchive, records: Sequence[Record]) -> int:
        pages.append([record.name for record in records])
        if len(pages) > 1:
            redis_clean.command("SET", pages[0][0], "new")
        return append(self, records)

    monkeypatch.setattr(RunArchive, "append", and_somebody_writes)
    at = door(alice)
    run = at.does(ACTION, pattern=b"cart:tmp:*")
    monkeypatch.undo()
    again = pages[0][0]
    redis_clean.command("DEL", again)
    kept = originals_of(run)
    assert kept is not None
    newest = next(record for record in kept.records(newest_first=True) if record.name == again)
    assert at.does(f"{ACTION}.undo", run=run.pk).state == "done"
    assert redis_clean.command("DUMP", again) == newest.content

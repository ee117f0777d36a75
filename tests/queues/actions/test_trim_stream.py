"""A stream is trimmed to what every group has acknowledged: whatever happens meanwhile, no group loses an entry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client
from redis import Redis

from apps.accounts.models import Operator
from apps.engine.connections.redis import redis_node
from apps.engine.contracts.action import Refused
from apps.engine.errors import Gone, Unsupported
from apps.operations import execution, reaping
from apps.operations.archives import originals_of
from apps.operations.buttons import start_url
from apps.operations.models import Run
from apps.operations.planning import content_of
from apps.operations.progress import RunProgress
from apps.queues import stream_entries, stream_frontier, stream_trimming
from apps.queues.actions.trim_stream import ACTION, Params
from apps.queues.stream_frontier import Standing
from apps.queues.stream_groups import order
from tests.operations.door import Door, OpenDoor, actor_for, outcome_of, register_redis
from tests.operations.scenario import Scenario
from tests.queues.conftest import queue_of, redis_target
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "queues.trim_stream"
STREAM = b"events:\xff<b>orders"
BINARY = b"\x00\xff\r\n$1"


def client(server: RedisServer) -> Any:
    """The server's client, whose typed answers would ask for a cast a line."""
    return server.client


def fill(server: RedisServer, count: int, *, stream: bytes = STREAM, first: int = 1) -> None:
    pipe = client(server).pipeline(transaction=False)
    for number in range(first, first + count):
        pipe.execute_command("XADD", stream, f"{number}-0", "n", str(number), b"raw\xfe", BINARY)
    pipe.execute()


def group(server: RedisServer, name: str, *, read: int, acknowledge: int | None = None, stream: bytes = STREAM) -> None:
    """A group at the beginning that was given `read` entries, of which the first `acknowledge` are done (all by default)."""
    server.command("XGROUP", "CREATE", stream, name, "0")
    given = take(server, name, count=read, stream=stream) if read else []
    done = given if acknowledge is None else given[:acknowledge]
    if done:
        client(server).xack(stream, name, *done)


def take(server: RedisServer, name: str, *, count: int | None = None, stream: bytes = STREAM) -> list[bytes]:
    """The ids that a group is given next."""
    given = client(server).xreadgroup(name, f"{name}-1", {stream: ">"}, count=count)
    return [entry_id for _, entries in given for entry_id, _ in entries]


def readable(server: RedisServer, *, stream: bytes = STREAM) -> dict[bytes, list[Any]]:
    """For every group all that it has still to read or to acknowledge, with its contents."""
    found = {}
    for each in client(server).xinfo_groups(stream):
        after = each["last-delivered-id"].decode()
        held = client(server).xpending_range(stream, each["name"], "-", "+", 10_000)
        pending = [client(server).xrange(stream, one["message_id"], one["message_id"]) for one in held]
        found[each["name"]] = [pending, client(server).xrange(stream, f"({after}", "+")]
    return found


def ids(server: RedisServer, stream: bytes = STREAM) -> list[bytes]:
    return [entry_id for entry_id, _ in client(server).xrange(stream)]


def at_redis(server: RedisServer, operator: Operator) -> Door:
    return Door(actor=actor_for(operator), server=register_redis(server))


def params() -> dict[str, Any]:
    return {"stream": STREAM}


def _prepare(server: RedisServer) -> dict[str, Any]:
    fill(server, 30)
    fill(server, 5, stream=b"another")
    group(server, "billing", read=30)
    group(server, "analytics", read=20, acknowledge=10)
    return params()


def _undone(server: RedisServer) -> bool:
    (beside,) = [key for key in server.command("KEYS", "*") if b":trimmed:" in key]
    first = client(server).xrange(beside)[0]
    return ids(server, beside) == [b"%d-0" % n for n in range(1, 11)] and first[1][b"raw\xfe"] == BINARY


SCENARIO = Scenario(
    prepare=_prepare,
    changed=lambda server: (
        ids(server) == [b"%d-0" % n for n in range(11, 31)] and server.command("XLEN", b"another") == 5
    ),
    undone=_undone,
)


# -- what goes and what stays ------------------------------------------------------------------------------------------


def test_it_trims_to_the_oldest_entry_that_any_group_needs_and_every_group_keeps_what_it_had(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    fill(each_redis, 500)
    group(each_redis, "fast", read=500)
    group(each_redis, "slow", read=300)
    group(each_redis, "holds", read=400, acknowledge=210)
    before = readable(each_redis)
    at = at_redis(each_redis, alice)
    said = content_of(at.plans(KEY, **params()))
    assert [figure.amount.value for figure in said.figures[:2]] == [210, 290]
    assert said.sample is not None and said.sample.rows[0][0].name == b"holds"
    run = at.does(KEY, **params())
    assert run.state == "done", run.outcome
    assert ids(each_redis)[0] == b"211-0" and each_redis.command("XLEN", STREAM) == 290
    assert readable(each_redis) == before


def test_the_plan_tells_of_each_group_what_it_has_to_read_and_to_acknowledge(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fill(redis_clean, 100)
    group(redis_clean, "fast", read=100)
    group(redis_clean, "slow", read=60, acknowledge=50)
    said = content_of(door(alice).plans(KEY, **params()))
    assert said.sample is not None
    rows = {
        row[0].name: [row[1].amount.value, row[2].amount.value, row[3].text]
        for row in said.sample.rows
        if row[1].amount and row[2].amount
    }
    assert rows == {b"slow": [40, 10, "51-0"], b"fast": [0, 0, "after 100-0"]}
    holder = next(fact for fact in said.facts if fact.label == "Keeps the rest")
    assert holder.words[0].name == b"slow" and any(piece.name == b"slow-1" for piece in holder.words)


def test_a_group_that_has_read_all_lets_all_go_and_the_stream_stays_with_its_groups(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    fill(each_redis, 120)
    group(each_redis, "billing", read=120)
    assert at_redis(each_redis, alice).does(KEY, **params()).state == "done"
    assert each_redis.command("XLEN", STREAM) == 0 and len(client(each_redis).xinfo_groups(STREAM)) == 1
    fill(each_redis, 1, first=121)
    assert take(each_redis, "billing") == [b"121-0"]


def test_a_dead_consumer_keeps_the_frontier_and_is_named(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fill(redis_clean, 50)
    group(redis_clean, "billing", read=50, acknowledge=0)
    client(redis_clean).xack(STREAM, "billing", *[f"{n}-0" for n in range(2, 51)])
    client(redis_clean).xclaim(STREAM, "billing", "long-gone", 0, ["1-0"], idle=3 * 86_400_000)
    said = content_of(door(alice).plans(KEY, **params()))
    assert said.blocked and said.blocked[1].name == b"billing"
    assert any(piece.name == b"long-gone" for piece in said.blocked) and "3 d" in str(said.blocked)
    assert redis_clean.command("XLEN", STREAM) == 50


def test_a_pending_entry_that_is_in_the_stream_no_more_still_keeps_the_frontier_and_is_said(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fill(redis_clean, 20)
    group(redis_clean, "billing", read=20, acknowledge=0)
    client(redis_clean).xack(STREAM, "billing", *[f"{n}-0" for n in range(2, 21)])
    redis_clean.command("XDEL", STREAM, "1-0")
    said = content_of(door(alice).plans(KEY, **params()))
    assert "in the stream no more" in str(said.blocked)


def test_a_stream_without_a_group_is_refused(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    fill(redis_clean, 10)
    with pytest.raises(Refused, match="nothing says what was read"):
        door(alice).plans(KEY, **params())
    assert redis_clean.command("XLEN", STREAM) == 10


def test_what_is_no_stream_or_gone_is_refused(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    at = door(alice)
    with pytest.raises(Gone):
        at.plans(KEY, **params())
    redis_clean.command("RPUSH", STREAM, "a")
    with pytest.raises(Gone):
        at.plans(KEY, **params())


def test_a_replica_is_refused(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    fill(redis_clean, 1)
    redis_clean.command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(Unsupported, match="replica"):
            door(alice).plans(KEY, **params())
    finally:
        redis_clean.command("REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize("told", ["6.0.20", "6.1.240", ""])
def test_a_redis_without_minid_is_refused_with_its_version(told: str) -> None:
    with pytest.raises(Unsupported, match=r"came with 6\.2") as refused:
        stream_frontier.refuse_before(told, since=stream_frontier.SINCE)
    assert (told or "unknown version") in refused.value.message
    stream_frontier.refuse_before("6.2.0", since=stream_frontier.SINCE)


def test_ids_beyond_the_numbers_of_lua_are_compared_to_the_last_digit(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    """Doubles would take 2^63 and 2^63 + 1 for one, and text alone would put 10-1 before 9-1."""
    big = 2**63
    names = ["9-1", "10-1", f"10-{2**53}", f"10-{2**53 + 1}", f"{big}-1", f"{big + 1}-{2**64 - 1}", f"{big + 2}-0"]
    for name in names:
        each_redis.command("XADD", STREAM, name, "a", "1")
    for read in range(1, len(names)):
        each_redis.command("XGROUP", "CREATE", STREAM, f"g{read}", names[read])
    each_redis.command("XGROUP", "CREATE", STREAM, "slow", names[2])
    server = register_redis(each_redis)
    for taken in ("g1", "slow", "g2", "g3", "g4"):
        each_redis.command("XGROUP", "DESTROY", STREAM, taken)
        before = readable(each_redis)
        with redis_node(redis_target(each_redis)) as node:
            through = stream_frontier.frontier(stream_frontier.standings(node, STREAM))
        run = Door(actor=actor_for(alice), server=server)
        Run.objects.update(created_at="2020-01-01T00:00:00Z")  # the rate is another test's
        plan = run.plans(KEY, **params())
        if not content_of(plan).blocked:
            assert run.carries_out(run.submits(plan)).state == "done"
        assert readable(each_redis) == before
        assert all(order(one) > order(through) for one in ids(each_redis))


def test_the_frontier_is_the_least_of_what_was_given_and_what_is_held() -> None:
    def standing(last: bytes, oldest: bytes | None) -> Standing:
        return Standing(name=b"g", last_delivered=last, pending_count=0, oldest_pending=oldest)

    assert standing(b"5-3", None).through == b"5-3"
    assert standing(b"5-3", b"4-1").through == b"4-0"
    assert standing(b"5-3", b"4-0").through == b"3-18446744073709551615"
    assert standing(b"2-0", b"4-1").through == b"2-0", "a group that was set back needs more than it holds"
    assert stream_frontier.frontier([standing(b"9-0", None), standing(b"10-0", None)]) == b"9-0"


# -- what comes between ------------------------------------------------------------------------------------------------


@contextmanager
def as_soon_as(server: RedisServer, count: int, do: Callable[[Any], Any]) -> Iterator[list[Any]]:
    """Does something once the stream has fewer than `count` entries, on a connection of its own."""
    answers: list[Any] = []
    over = threading.Event()
    other: Any = Redis(unix_socket_path=str(server.socket), protocol=2)

    def watch() -> None:
        while not over.is_set():
            if other.xlen(STREAM) < count:
                answers.append(do(other))
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()
        other.close()


def test_a_group_made_at_the_beginning_between_plan_and_run_stops_it_before_anything_goes(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fill(redis_clean, 100)
    group(redis_clean, "billing", read=100)
    at = door(alice)
    plan = at.plans(KEY, **params())
    redis_clean.command("XGROUP", "CREATE", STREAM, "newcomer", "0")
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "Nothing was done" in run.outcome
    assert redis_clean.command("XLEN", STREAM) == 100


def test_a_group_made_at_the_beginning_while_it_trims_keeps_all_that_was_there_then(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    fill(each_redis, 20_000)
    group(each_redis, "billing", read=20_000)
    at = at_redis(each_redis, alice)

    def newcomer(other: Any) -> Any:
        pipe = other.pipeline(transaction=True)
        pipe.xgroup_create(STREAM, "newcomer", "0")
        pipe.xlen(STREAM)
        return pipe.execute()[1]

    with as_soon_as(each_redis, 20_000, newcomer) as there:
        run = at.does(KEY, **params())
    assert run.state == "partial" and "newcomer" in run.outcome
    assert 0 < each_redis.command("XLEN", STREAM) == there[0] < 20_000
    assert run.done_count == 20_000 - each_redis.command("XLEN", STREAM)


def test_a_group_set_back_while_it_trims_stops_it(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    fill(each_redis, 20_000)
    group(each_redis, "billing", read=20_000)
    at = at_redis(each_redis, alice)
    with as_soon_as(each_redis, 20_000, lambda other: other.xgroup_setid(STREAM, "billing", "0")):
        run = at.does(KEY, **params())
    assert run.state == "partial" and "billing" in run.outcome
    left = each_redis.command("XLEN", STREAM)
    assert left > 0 and len(readable(each_redis)[b"billing"][1]) == left


def test_the_last_group_taken_away_while_it_trims_stops_it(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fill(redis_clean, 20_000)
    group(redis_clean, "billing", read=20_000)
    at = door(alice)
    with as_soon_as(redis_clean, 20_000, lambda other: other.xgroup_destroy(STREAM, "billing")):
        run = at.does(KEY, **params())
    assert run.state == "partial" and "no group any more" in run.outcome
    assert redis_clean.command("XLEN", STREAM) > 0


def test_a_group_made_at_the_end_meanwhile_needs_nothing_and_stops_nothing(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fill(redis_clean, 100)
    group(redis_clean, "billing", read=80)
    at = door(alice)
    plan = at.plans(KEY, **params())
    redis_clean.command("XGROUP", "CREATE", STREAM, "newcomer", "$")
    assert at.carries_out(at.submits(plan)).state == "done"
    assert ids(redis_clean)[0] == b"81-0"


def test_what_senders_add_and_readers_acknowledge_meanwhile_stays_out_of_the_plan(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fill(redis_clean, 100)
    group(redis_clean, "billing", read=80)
    at = door(alice)
    plan = at.plans(KEY, **params())
    fill(redis_clean, 50, first=101)
    client(redis_clean).xack(STREAM, "billing", *take(redis_clean, "billing"))
    run = at.carries_out(at.submits(plan))
    assert run.state == "done" and ids(redis_clean) == [b"%d-0" % n for n in range(81, 151)]


def test_what_a_sender_trims_by_length_meanwhile_is_said_and_not_put_beside_by_the_undo(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fill(redis_clean, 100)
    group(redis_clean, "billing", read=80)
    at = door(alice)
    plan = at.plans(KEY, **params())
    redis_clean.command("XTRIM", STREAM, "MINID", "31-0")
    redis_clean.command("XDEL", STREAM, "40-0")
    run = at.carries_out(at.submits(plan))
    assert run.state == "done"
    figures = {figure.label: figure.amount.value for figure in outcome_of(run).figures}
    assert figures["Removed"] == 49 and figures["Gone already"] == 31
    at.does(f"{KEY}.undo", run=run.pk)
    assert ids(redis_clean, stream_entries.beside(STREAM, run=run.pk)) == [
        b"%d-0" % n for n in range(31, 81) if n != 40
    ]


def test_stopped_by_hand_it_ends_between_two_steps_and_what_went_can_be_put_beside(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(redis_clean, 5_000)
    group(redis_clean, "billing", read=5_000)
    at = door(alice)
    run = at.submits(at.plans(KEY, **params()))
    removed = stream_trimming._removed

    def then_stop(*given: Any) -> Any:
        answer = removed(*given)
        execution.ask_to_stop(run, by=at.actor)
        given[-1]._stop_asked = True  # as the next heartbeat would find it
        return answer

    monkeypatch.setattr(stream_trimming, "_removed", then_stop)
    run = at.carries_out(run)
    left = redis_clean.command("XLEN", STREAM)
    assert run.state == "cancelled" and 0 < left < 5_000 and run.done_count == 5_000 - left
    kept = originals_of(run)
    assert kept is not None and [record.name for record in kept.records()] == [
        b"%d-0" % n for n in range(1, 5_001 - left)
    ]
    assert at.does(f"{KEY}.undo", run=run.pk).state == "done"


class Killed(BaseException):
    """What a worker that is killed raises: nothing that anybody would catch."""


@pytest.mark.parametrize("at", ["kept", "removed", "counted"])
def test_a_worker_killed_at_any_moment_is_taken_over_and_every_entry_is_kept_once(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    fill(redis_clean, 400)
    group(redis_clean, "billing", read=350)
    here = door(alice)
    plan = here.plans(KEY, **params())
    run = here.submits(plan)
    claimed = execution._claimed(run.pk)
    assert claimed is not None
    progress = RunProgress(claimed, here.server.target(ACTION.profile), exclusive=False, budget_ratio=1.0)
    pages: list[int] = []

    def dying(function: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            if first and len(pages) == 2:
                raise Killed
            answer = function(*given, **named)
            pages.append(1)
            if not first and len(pages) == 3:
                raise Killed
            return answer

        return called

    with monkeypatch.context() as patched:
        if at == "counted":
            patched.setattr(progress, "checkpoint", dying(progress.checkpoint, first=False))
        else:
            patched.setattr(stream_trimming, "_removed", dying(stream_trimming._removed, first=at == "kept"))
        with pytest.raises(Killed):
            ACTION.run(
                here.server.target(ACTION.profile), Params(stream=STREAM), plan=content_of(plan), progress=progress
            )
    progress.close_archive(whole=False)
    assert 50 < redis_clean.command("XLEN", STREAM) < 400
    Run.objects.filter(pk=run.pk).update(heartbeat_at=run.created_at - reaping.SILENT_FOR * 2)
    assert reaping.reap() == 1
    run = here.carries_out(run)
    assert run.state == "done", run.outcome
    assert ids(redis_clean) == [b"%d-0" % n for n in range(351, 401)]
    assert run.done_count == 350
    kept = originals_of(run)
    assert kept is not None and [record.name for record in kept.records()] == [b"%d-0" % n for n in range(1, 351)]


def test_no_more_than_a_runs_worth_is_planned_and_the_rest_is_said(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_entries, "MOST_ENTRIES", 70)
    fill(redis_clean, 100)
    group(redis_clean, "billing", read=100)
    at = door(alice)
    plan = at.plans(KEY, **params())
    said = content_of(plan)
    assert said.most_count == 70 and any(fact.label == "The rest" for fact in said.facts)
    assert at.carries_out(at.submits(plan)).state == "done"
    assert ids(redis_clean)[0] == b"71-0"


def test_large_entries_are_fetched_one_at_a_time(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    for number in range(1, 5):
        redis_clean.command("XADD", STREAM, f"{number}-0", "body", b"x" * 3_000_000)
    group(redis_clean, "billing", read=3)
    run = door(alice).does(KEY, **params())
    assert run.state == "done" and ids(redis_clean) == [b"4-0"]
    asked = [line for line in run.progress["last"] if line.startswith("XRANGE")]
    assert asked and all(line.endswith("COUNT 1") for line in asked)


def test_what_entries_hold_is_in_no_command_that_is_listed(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("XADD", STREAM, "1-0", "card", "4111-1111")
    group(redis_clean, "billing", read=1)
    at = door(alice)
    run = at.does(KEY, **params())
    undo = at.does(f"{KEY}.undo", run=run.pk)
    assert undo.state == "done"
    for each in (run, undo):
        assert "4111" not in str(each.progress) and "4111" not in each.outcome and "4111" not in each.plan.content


# -- undo --------------------------------------------------------------------------------------------------------------


def test_the_undo_gives_every_entry_back_byte_by_byte_into_a_stream_beside(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    fill(each_redis, 250)
    each_redis.command("XADD", STREAM, "251-0", BINARY, b"", b"", BINARY)
    group(each_redis, "billing", read=251)
    before = client(each_redis).xrange(STREAM)
    at = at_redis(each_redis, alice)
    run = at.does(KEY, **params())
    fill(each_redis, 3, first=300)
    said = content_of(at.plans(f"{KEY}.undo", run=run.pk))
    beside = stream_entries.beside(STREAM, run=run.pk)
    assert said.most_count == 251 and any(piece.name == beside for piece in said.of)
    assert at.does(f"{KEY}.undo", run=run.pk).state == "done"
    assert client(each_redis).xrange(beside) == before
    assert ids(each_redis) == [b"300-0", b"301-0", b"302-0"], "the stream itself is left as it is"


def test_an_undo_again_adds_only_what_is_missing(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    fill(redis_clean, 30)
    group(redis_clean, "billing", read=30)
    at = door(alice)
    run = at.does(KEY, **params())
    beside = stream_entries.beside(STREAM, run=run.pk)
    at.does(f"{KEY}.undo", run=run.pk, only="?-0")
    assert ids(redis_clean, beside) == [b"%d-0" % n for n in range(1, 10)]
    at.does(f"{KEY}.undo", run=run.pk)
    assert ids(redis_clean, beside) == [b"%d-0" % n for n in range(1, 31)]
    assert content_of(at.plans(f"{KEY}.undo", run=run.pk)).blocked


def test_an_undo_never_writes_into_a_key_of_another_kind(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fill(redis_clean, 30)
    group(redis_clean, "billing", read=30)
    at = door(alice)
    run = at.does(KEY, **params())
    redis_clean.command("SET", stream_entries.beside(STREAM, run=run.pk), "mine")
    with pytest.raises(Refused, match="no stream"):
        at.plans(f"{KEY}.undo", run=run.pk)
    assert redis_clean.command("GET", stream_entries.beside(STREAM, run=run.pk)) == b"mine"


# -- pages -------------------------------------------------------------------------------------------------------------


def test_the_page_of_a_group_has_the_button_and_that_of_another_queue_has_none(
    redis_clean: RedisServer, alice: Operator, bob: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    fill(redis_clean, 10)
    group(redis_clean, "billing", read=10)
    server = register_redis(redis_clean)
    queue = queue_of(redis_clean, STREAM, b"billing")
    button = start_url(ACTION, server, {})
    assert button in as_operator(alice).get(f"/servers/cache/queues/stream/{queue.ref}/").content.decode()
    assert button not in as_operator(bob).get(f"/servers/cache/queues/stream/{queue.ref}/").content.decode()

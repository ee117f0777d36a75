"""A snapshot is written and waited for; one that fails, is ended or is not waited for says so."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.accounts.models import Operator
from apps.engine.connections.redis import redis_node
from apps.operations import execution
from apps.operations.planning import content_of
from apps.upkeep.actions import bgsave
from apps.upkeep.reads.info import Info
from tests.operations.door import Door, actor_for, outcome_of, register_redis
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer
from tests.upkeep.conftest import redis_target
from tests.upkeep.maintained import carrying_out, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_folders")]
KEY = "upkeep.bgsave"


def file_of(server: RedisServer) -> Path:
    """Where the server writes its snapshots."""
    folder = bytes(_setting(server, "dir")).decode()
    return Path(folder) / bytes(_setting(server, "dbfilename")).decode()


def _setting(server: RedisServer, name: str) -> bytes:
    with redis_node(redis_target(server)) as node:
        value: bytes = node.command("CONFIG", "GET", name)[1]
    return value


def is_saving(server: RedisServer) -> bool:
    return bool(server.command("INFO", "persistence")["rdb_bgsave_in_progress"])


def slow(server: RedisServer, *, keys: int = 300) -> None:
    """So many keys, each so slow to write, that a save takes some seconds."""
    for n in range(keys):
        server.command("SET", f"k:{n}", "v")
    server.command("CONFIG", "SET", "rdb-key-save-delay", "20000")


def fill(server: RedisServer) -> dict[str, object]:
    settle(server)
    file_of(server).unlink(missing_ok=True)
    server.command("SET", "kept", "v")
    return {}


def settle(server: RedisServer) -> None:
    server.command("CONFIG", "SET", "rdb-key-save-delay", "0")
    until(lambda: not is_saving(server), within_s=60)
    if server.command("INFO", "persistence")["rdb_last_bgsave_status"] != "ok":
        server.command("SAVE")


SCENARIO = Scenario(
    prepare=fill,
    changed=lambda server: file_of(server).read_bytes().startswith(b"REDIS") and server.command("GET", "kept") == b"v",
    clean=settle,
)


@pytest.fixture
def settled(each_redis: RedisServer) -> Iterator[RedisServer]:
    fill(each_redis)
    yield each_redis
    settle(each_redis)


def at(server: RedisServer, operator: Operator) -> Door:
    return Door(actor=actor_for(operator), server=register_redis(server))


def test_the_file_holds_what_the_server_held(settled: RedisServer, alice: Operator) -> None:
    run = at(settled, alice).does(KEY)
    assert run.state == "done", run.outcome
    assert b"kept" in file_of(settled).read_bytes()
    assert settled.command("LASTSAVE") is not None
    assert {"BGSAVE", "INFO persistence"} <= {each["words"] for each in run.progress["commands"]}


def test_progress_is_told_in_keys_and_a_second_save_is_refused_meanwhile(settled: RedisServer, alice: Operator) -> None:
    slow(settled)
    door = at(settled, alice)
    run, later = door.submits(door.plans(KEY)), door.plans(KEY)

    def is_told() -> bool:
        run.refresh_from_db()
        return run.note == "keys written" and run.done_count > 0

    with carrying_out(run):
        until(lambda: is_saving(settled))
        said = content_of(door.plans(KEY))
        assert "at work already" in str(said.blocked)
        if "current_save_keys_total" in settled.command("INFO", "persistence"):
            until(is_told)
    assert run.state == "done", run.outcome
    assert run.done_count == run.total_count
    settled.command("CONFIG", "SET", "rdb-key-save-delay", "0")
    assert door.carries_out(door.submits(later)).state == "done"


def test_a_save_that_is_at_work_when_the_run_begins_stops_it(settled: RedisServer, alice: Operator) -> None:
    slow(settled)
    door = at(settled, alice)
    run = door.submits(door.plans(KEY))
    settled.command("BGSAVE")
    door.carries_out(run)
    assert run.state == "failed" and "Nothing was done" in run.outcome
    assert is_saving(settled), "the other one goes on"


def test_stopped_by_hand_it_says_that_the_save_goes_on(settled: RedisServer, alice: Operator) -> None:
    slow(settled)
    door = at(settled, alice)
    run = door.submits(door.plans(KEY))
    with carrying_out(run):
        until(lambda: is_saving(settled))
        execution.ask_to_stop(run, by=door.actor)
    assert run.state == "partial" and "cannot be stopped" in run.outcome
    assert is_saving(settled)


def test_a_save_that_fails_is_a_failure(settled: RedisServer, alice: Operator) -> None:
    place = file_of(settled)
    place.mkdir()  # the new file cannot take this place
    try:
        run = at(settled, alice).does(KEY)
        assert run.state == "failed" and "failed" in run.outcome, run.outcome
    finally:
        place.rmdir()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGUSR1])
def test_a_copy_that_somebody_ended_is_no_snapshot(how: signal.Signals, settled: RedisServer, alice: Operator) -> None:
    slow(settled)
    door = at(settled, alice)
    run = door.submits(door.plans(KEY))
    with carrying_out(run):
        until(lambda: is_saving(settled))
        pid = settled.command("INFO", "server")["process_id"]
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), how)
    assert run.state == "failed", run.outcome
    assert not file_of(settled).exists()


def test_a_server_that_goes_away_leaves_it_unknown(settled: RedisServer, alice: Operator) -> None:
    slow(settled)
    door = at(settled, alice)
    run = door.submits(door.plans(KEY))
    with carrying_out(run):
        until(lambda: is_saving(settled))
        stop = threading.Event()

        def cut() -> None:
            while not stop.wait(0.02):
                settled.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        thread = threading.Thread(target=cut)
        thread.start()
        until(lambda: _is_over(run))
        stop.set()
        thread.join()
    assert run.state == "unknown" and "not known" in outcome_of(run).said[0].text


def _is_over(run: object) -> bool:
    run.refresh_from_db()  # type: ignore[attr-defined]
    return not run.is_open  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("rdb_bgsave_in_progress", "save is at work"),
        ("aof_rewrite_in_progress", "append-only"),
        ("aof_rewrite_scheduled", "append-only"),
        ("module_fork_in_progress", "module"),
        ("loading", "loading"),
    ],
)
def test_what_would_copy_the_server_twice_is_refused(field: str, words: str) -> None:
    assert words in str(bgsave.busy_words(Info(fields={field: "1"})))
    assert not bgsave.busy_words(Info(fields={field: "0"}))

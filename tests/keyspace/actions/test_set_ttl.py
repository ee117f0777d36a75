"""Times to live by pattern: spread out, kept, and put back where nobody set another one since."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.operations.planning import content_of
from tests.operations.door import OpenDoor, outcome_of
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
ACTION = "keyspace.set_ttl"
HOUR_MS = 3_600_000


def _prepare(server: RedisServer) -> dict[str, Any]:
    for n in range(40):
        server.command("SET", f"page:{n}", "x")
    server.command("SET", "page:soon", "x", "PX", HOUR_MS // 2)
    server.command("SET", "cart:1", "x")
    return {"pattern": b"page:*", "ttl_s": 3600, "jitter_percent": 10, "pace": "full"}


def _changed(server: RedisServer) -> bool:
    ttls = [server.command("PTTL", f"page:{n}") for n in range(40)]
    inside = all(HOUR_MS * 0.9 - 5000 <= ttl <= HOUR_MS * 1.1 for ttl in ttls)
    spread = max(ttls) - min(ttls) > HOUR_MS * 0.05
    left = server.command("PTTL", "page:soon") <= HOUR_MS // 2 and server.command("PTTL", "cart:1") == -1
    return inside and spread and left


SCENARIO = Scenario(prepare=_prepare, changed=_changed)


@pytest.mark.parametrize(
    ("which", "touched"),
    [("unlimited", {b"never"}), ("longer", {b"never", b"long"}), ("all", {b"never", b"long", b"short"})],
)
def test_which_keys_it_is_about(
    which: str, touched: set[bytes], redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", "never", "x")
    redis_clean.command("SET", "long", "x", "PX", 10 * HOUR_MS)
    redis_clean.command("SET", "short", "x", "PX", HOUR_MS // 10)
    run = door(alice).does(ACTION, pattern=b"[nls]*", ttl_s=3600, jitter_percent=0, which=which, pace="full")
    assert run.state == "done" and run.done_count == len(touched)
    now = {name for name in (b"never", b"long", b"short") if abs(redis_clean.command("PTTL", name) - HOUR_MS) < 10_000}
    assert now == touched


def test_undo_leaves_alone_what_was_set_otherwise_since(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", "page:1", "x")
    redis_clean.command("SET", "page:2", "x", "PX", 50 * HOUR_MS)
    redis_clean.command("SET", "page:3", "x")
    at = door(alice)
    run = at.does(ACTION, pattern=b"page:*", ttl_s=3600, which="all", pace="full")
    redis_clean.command("PEXPIRE", "page:3", 7 * HOUR_MS)
    undo = at.does(f"{ACTION}.undo", run=run.pk)
    assert {f.label: f.amount.value for f in outcome_of(undo).figures} == {"Put back": 2, "Left alone": 1, "Failed": 0}
    assert redis_clean.command("PTTL", "page:1") == -1
    assert abs(redis_clean.command("PTTL", "page:2") - 50 * HOUR_MS) < 60_000
    assert redis_clean.command("PTTL", "page:3") > 6 * HOUR_MS


def test_no_value_changes(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    redis_clean.command("HSET", "page:1", "a", "1")
    before = redis_clean.command("DUMP", "page:1")
    door(alice).does(ACTION, pattern=b"page:*", ttl_s=60, pace="full")
    assert redis_clean.command("DUMP", "page:1") == before and redis_clean.command("PTTL", "page:1") > 0


def test_the_plan_says_how_many_of_them_the_choice_leaves_out(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    for n in range(10):
        redis_clean.command("SET", f"page:{n}", "x", *(["PX", HOUR_MS] if n < 5 else []))
    said = content_of(door(alice).plans(ACTION, pattern=b"page:*", ttl_s=60))
    chosen = next(fact for fact in said.facts if fact.label == "Chosen")
    assert "50.0%" in chosen.words[0].text

"""One line of time: noted once, ended when it ends, not flooded by what flaps, read within a scope, forgotten when old."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.history import timeline
from apps.history.models import Event
from apps.history.timeline import Sight
from apps.servers.models import Server
from tests.history.conftest import register

pytestmark = pytest.mark.django_db
FULL: dict[str, Any] = {"used_memory_bytes": 90.0, "maxmemory_bytes": 100.0, "eviction": "noeviction"}
REPLICA = "10.0.0.2:6379"
WELL: dict[str, Any] = {**FULL, "used_memory_bytes": 10.0}


@pytest.fixture
def cache() -> Server:
    return register("orders-cache", "redis", "127.0.0.1", 1, environment="prod")


def look(at: datetime, *, error: str = "", run: str = "run-1", node: str = "", **figures: Any) -> Sight:
    part = {"at_s": at.timestamp(), "figures": {"up_s": 9000.0, **figures}, "counters": {"run": run}}
    return Sight(at=at, raw={} if error else {node: {"redis_info": part}}, error_kind=error)


def told(server: Server) -> list[tuple[str, str, bool]]:
    """Kind, words and whether it goes on, oldest first."""
    found = Event.objects.filter(server=server).order_by("at", "pk")
    return [(e.kind, e.words, e.kind in timeline.LASTING and e.ended_at is None) for e in found]


# -- noting ---------------------------------------------------------------------------------------------------------------


def test_what_has_a_key_is_noted_once(cache: Server) -> None:
    timeline.note("restart", "restarted", server=cache, key="restart:1")
    timeline.note("restart", "restarted again", server=cache, key="restart:1")
    assert told(cache) == [("restart", "restarted", False)]


def test_an_event_of_no_kind_is_refused(cache: Server) -> None:
    with pytest.raises(ValueError, match="no kind"):
        timeline.note("party", "cake", server=cache)


def test_what_lasts_ends_by_its_key_with_what_came_of_it(cache: Server) -> None:
    timeline.note("run", "Delete keys", server=cache, key="run:7", signal="run")
    timeline.ended("run:7", more="done", signal="ok")
    timeline.ended("run:7", more="failed", signal="crit")
    event = Event.objects.get()
    assert (event.words, event.signal) == ("Delete keys: done", "ok") and event.ended_at is not None


def test_words_longer_than_the_column_are_cut(cache: Server) -> None:
    timeline.note("setting", "x" * 999, server=cache)
    assert Event.objects.get().words == "x" * 400


# -- looks ----------------------------------------------------------------------------------------------------------------


def test_two_looks_that_are_alike_cost_no_query(cache: Server) -> None:
    now = timezone.now()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        timeline.after_sample(cache, before=look(now, **FULL), now=look(now + timedelta(seconds=10), **FULL))
    assert len(asked) == 0 and not Event.objects.exists()


def test_a_restart_seen_by_two_samplers_is_one_event(cache: Server) -> None:
    now = timezone.now()
    after = look(now + timedelta(seconds=10), run="run-2", up_s=2.0)
    for _ in range(2):
        timeline.after_sample(cache, before=look(now), now=after)
    ((kind, words, _),) = told(cache)
    assert kind == "restart" and words == "restarted, was down at most 10 s"


def test_a_server_that_is_down_goes_on_being_down_until_it_answers(cache: Server) -> None:
    now = timezone.now()
    at = [now + timedelta(seconds=10 * n) for n in range(4)]
    timeline.after_sample(cache, before=look(at[0]), now=look(at[1], error="unreachable"))
    assert told(cache) == [("down", "cannot be reached", True)]
    timeline.after_sample(cache, before=look(at[1], error="unreachable"), now=look(at[2], error="unreachable"))
    timeline.after_sample(cache, before=look(at[2], error="unreachable"), now=look(at[3]))
    assert told(cache) == [("down", "cannot be reached", False)]
    event = Event.objects.get()
    assert (event.at, event.ended_at) == (at[1], at[3])


def test_a_finding_that_flaps_is_one_event_that_says_how_often(cache: Server) -> None:
    at = timezone.now()
    was: dict[str, Any] = WELL
    for is_ in (FULL, WELL, FULL, WELL, FULL):
        at += timedelta(seconds=60)
        timeline.after_sample(cache, before=look(at - timedelta(seconds=10), **was), now=look(at, **is_))
        was = is_
    assert told(cache) == [("finding", "memory 90 %", True)]
    assert Event.objects.get().detail["again_count"] == 2


def test_a_finding_that_comes_back_later_is_another_event(cache: Server) -> None:
    at = timezone.now()
    for after_min, was, is_ in ((0, WELL, FULL), (1, FULL, WELL), (9, WELL, FULL)):
        moment = at + timedelta(minutes=after_min)
        timeline.after_sample(cache, before=look(moment - timedelta(seconds=10), **was), now=look(moment, **is_))
    assert [goes_on for _, _, goes_on in told(cache)] == [False, True]


def test_findings_of_two_nodes_and_two_topics_are_apart(cache: Server) -> None:
    now = timezone.now()
    soon = now + timedelta(seconds=10)
    both = {**FULL, "save_status": "err"}
    timeline.after_sample(cache, before=look(now, **WELL), now=look(soon, **both))
    timeline.after_sample(cache, before=look(now, node=REPLICA, **WELL), now=look(soon, node=REPLICA, **FULL))
    later = soon + timedelta(seconds=10)
    timeline.after_sample(cache, before=look(soon, **both), now=look(later, **{**WELL, "save_status": "err"}))
    assert sorted(told(cache)) == [
        ("finding", "last save failed", True), ("finding", "memory 90 %", False), ("finding", "memory 90 %", True),
    ]  # fmt: skip


def test_a_finding_ends_though_the_probe_that_told_it_failed_in_between(cache: Server) -> None:
    now = timezone.now()
    at = [now + timedelta(seconds=10 * n) for n in range(4)]
    failing = {"size": {"at_s": now.timestamp(), "figures": {}, "counters": {}, "error": "no right"}}
    blind = Sight(at=at[2], raw={"": {**look(at[2]).raw[""], **failing}})
    timeline.after_sample(cache, before=look(at[0], **WELL), now=look(at[1], **FULL))
    timeline.after_sample(cache, before=look(at[1], **FULL), now=blind)
    assert [goes_on for _, _, goes_on in told(cache)] == [True], "what cannot be told did not end"
    timeline.after_sample(cache, before=blind, now=look(at[3], **WELL))
    assert [goes_on for _, _, goes_on in told(cache)] == [False]


def test_an_answer_that_makes_no_sense_keeps_nobody_from_being_looked_at(cache: Server) -> None:
    now = timezone.now()
    odd = look(now + timedelta(seconds=10), run="run-2", up_s=3.0, used_memory_bytes="much", maxmemory_bytes=3.0)
    timeline.after_sample(cache, before=look(now), now=odd)
    assert not Event.objects.exists()


def test_another_node_that_does_not_answer_is_down_by_itself(cache: Server) -> None:
    now = timezone.now()
    soon, later = now + timedelta(seconds=10), now + timedelta(seconds=20)
    failed = {
        "failed": {"at_s": soon.timestamp(), "figures": {}, "counters": {}, "error": "refused", "kind": "timeout"}
    }
    silent = Sight(at=soon, raw={**look(soon).raw, REPLICA: failed})
    both = [Sight(at=at, raw={**look(at).raw, **look(at, node=REPLICA).raw}) for at in (now, later)]
    timeline.after_sample(cache, before=both[0], now=silent)
    event = Event.objects.get()
    assert (event.kind, event.node, event.words, event.ended_at) == ("down", REPLICA, "does not answer", None)
    timeline.after_sample(cache, before=silent, now=both[1])
    assert Event.objects.get().ended_at == later


def test_a_gap_is_told_once_a_server_not_once_a_node(cache: Server) -> None:
    now = timezone.now()
    late = now + timedelta(minutes=10)
    both = [Sight(at=at, raw={**look(at).raw, **look(at, node=REPLICA).raw}) for at in (now, late)]
    timeline.after_sample(cache, before=both[0], now=both[1])
    assert [(event.kind, event.node) for event in Event.objects.all()] == [("gap", "")]


def test_a_clock_that_was_moved_is_told_once_for_all_servers(cache: Server) -> None:
    other = register("other", "redis", "127.0.0.1", 2)
    now = timezone.now()
    for number, server in enumerate((cache, other)):
        sights = [look(now + timedelta(seconds=s + number)) for s in (0, 10)]
        for sight, up_s in zip(sights, (100.0 + number, 3710.0 + number), strict=True):
            part: dict[str, Any] = sight.raw[""]["redis_info"]
            part.update(boot="b00t", up_s=up_s)
        timeline.after_sample(server, before=sights[0], now=sights[1])
    event = Event.objects.get()
    assert (event.kind, event.server, event.words) == ("clock", None, "the console's clock went back by 1 h")


# -- reading ----------------------------------------------------------------------------------------------------------------


def test_events_of_others_are_not_read_and_marks_of_the_environment_are(cache: Server) -> None:
    other = register("other", "redis", "127.0.0.1", 2, environment="dev")
    now = timezone.now()
    timeline.note("restart", "mine", server=cache, at=now)
    timeline.note("restart", "theirs", server=other, at=now)
    timeline.note("deploy", "to prod", environment="prod", at=now)
    timeline.note("deploy", "to dev", environment="dev", at=now)
    timeline.note("clock", "the console", at=now)
    found = timeline.events([cache], begin=now - timedelta(hours=1), end=now + timedelta(hours=1))
    assert {event.words for event in found} == {"mine", "to prod", "the console"}
    assert timeline.events([], begin=now - timedelta(hours=1), end=now + timedelta(hours=1)) == []


def test_what_began_before_and_goes_on_belongs_to_the_time_asked_for(cache: Server) -> None:
    now = timezone.now()
    hours = [now - timedelta(hours=n) for n in range(6)]
    timeline.note("finding", "goes on", server=cache, at=hours[5])
    timeline.note("finding", "ended within", server=cache, at=hours[5], ended_at=hours[1])
    timeline.note("finding", "ended before", server=cache, at=hours[5], ended_at=hours[4])
    timeline.note("restart", "a moment before", server=cache, at=hours[5])
    found = timeline.events([cache], begin=hours[2], end=now)
    assert {event.words for event in found} == {"goes on", "ended within"}


def test_what_is_old_is_forgotten_and_what_goes_on_is_not(cache: Server) -> None:
    now = timezone.now()
    old = now - timedelta(days=500)
    timeline.note("restart", "old", server=cache, at=old)
    timeline.note("finding", "old and ended", server=cache, at=old, ended_at=old)
    timeline.note("finding", "old and goes on", server=cache, at=old)
    timeline.note("finding", "old and ended lately", server=cache, at=old, ended_at=now)
    timeline.note("restart", "new", server=cache, at=now)
    assert timeline.forget(now - timedelta(days=400)) == 2
    assert {event.words for event in Event.objects.all()} == {"old and goes on", "old and ended lately", "new"}

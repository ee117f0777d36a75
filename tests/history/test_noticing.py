"""What is noticed between two looks at one node: each thing once, with its bracket, and nothing where nothing happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.history.noticing import Look, Noticed, noticed, topic_of
from apps.history.verdict import Finding

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REDIS = {"product": "Redis", "version": "7.0.15", "role": "primary", "up_s": 5000.0}


def look(after_s: float, *, error: str = "", run: str = "run-1", counters: Any = None, **figures: Any) -> Look:
    """A look at a Redis so many seconds after noon."""
    at = NOON + timedelta(seconds=after_s)
    told = {**REDIS, "up_s": 5000.0 + after_s, **figures}
    part = {
        "at_s": at.timestamp(),
        "figures": {name: value for name, value in told.items() if value is not None},
        "counters": {"run": run, **({"commands_total": 1000.0 + after_s} if counters is None else counters)},
    }
    return Look(at=at, raw={"redis_info": part}, error_kind=error)


def only(before: Look, now: Look, **more: Any) -> Noticed:
    (one,) = noticed(before, now, **more)
    return one


def test_two_looks_at_a_server_that_did_not_change_tell_nothing() -> None:
    assert noticed(look(0), look(10)) == []


def test_the_first_look_of_all_tells_nothing() -> None:
    assert noticed(Look(at=NOON), look(10)) == []


# -- restarts and failovers -----------------------------------------------------------------------------------------------


def test_a_restart_is_told_with_the_longest_time_it_can_have_been_down() -> None:
    one = only(look(0), look(10, run="run-2", up_s=3.0, counters={"commands_total": 4.0}))
    assert (one.kind, one.signal) == ("restart", "warn")
    assert one.words == "restarted, was down at most 9 s"
    assert one.at == NOON + timedelta(seconds=7)
    assert one.detail["seen_up_at"] == NOON.isoformat()


def test_counters_that_begin_anew_with_a_restart_are_no_reset_besides() -> None:
    after = look(10, run="run-2", up_s=3.0, counters={"commands_total": 0.0})
    assert [one.kind for one in noticed(look(0), after)] == ["restart"]


def test_a_server_that_does_not_tell_its_uptime_restarted_without_a_bracket() -> None:
    assert only(look(0), look(10, run="run-2", up_s=None)).words == "restarted"


def test_a_run_that_was_up_at_the_last_look_is_another_server_behind_the_address() -> None:
    one = only(look(0), look(10, run="run-2", up_s=3600.0))
    assert (one.kind, one.words) == ("failover", "another server answers at this address: up for 1 h already")


def test_a_replica_that_became_the_primary_was_promoted() -> None:
    one = only(look(0, role="replica"), look(10, role="primary"))
    assert (one.kind, one.words) == ("failover", "promoted: it is the primary, and was a replica")


def test_a_primary_that_became_a_replica_is_told_too() -> None:
    assert only(look(0), look(10, role="replica")).words == "it is a replica now, and was a primary"


def test_a_replica_whose_primary_has_another_history_tells_that() -> None:
    before, now = look(0, role="replica", replication_id="a" * 40), look(10, role="replica", replication_id="b" * 40)
    one = only(before, now)
    assert (one.kind, one.words) == ("failover", "what it follows began anew: its primary restarted, or is another one")


def test_a_restart_with_a_new_version_tells_both() -> None:
    after = look(10, run="run-2", up_s=3.0, version="7.4.1")
    assert [(one.kind, one.words) for one in noticed(look(0), after)] == [
        ("restart", "restarted, was down at most 9 s"),
        ("version", "version 7.0.15 → 7.4.1"),
    ]


def test_what_a_server_does_not_say_this_time_did_not_change() -> None:
    assert noticed(look(0), look(10, version=None, role=None)) == []


# -- statistics -----------------------------------------------------------------------------------------------------------


def test_statistics_that_were_reset_are_told() -> None:
    one = only(look(0), look(10, counters={"commands_total": 3.0}))
    assert one.kind == "reset"
    assert one.words == "counters began anew without a restart: statistics were reset"


def test_one_counter_that_fell_is_enough_some_are_never_reset() -> None:
    before = look(0, counters={"commands_total": 10.0, "cpu_s_total": 10.0})
    assert only(before, look(10, counters={"commands_total": 1.0, "cpu_s_total": 11.0})).kind == "reset"


def test_a_counter_that_was_not_told_before_did_not_fall() -> None:
    assert noticed(look(0, counters={"commands_total": None}), look(10, counters={"commands_total": 5.0})) == []


def postgres(after_s: float, *, up_s: float = 0, **figures: Any) -> Look:
    at = NOON + timedelta(seconds=after_s)
    told = {
        "product": "PostgreSQL",
        "role": "primary",
        "run": "2026-11-24 09:00:00.25+00",
        "up_s": up_s or 5000 + after_s,
        **figures,
    }
    counters = {"counted_since": "noon", "transactions_total": figures.pop("transactions_total", 10.0)}
    counters["counted_since"] = told.pop("counted_since", "noon")
    return Look(at=at, raw={"postgres_stats": {"at_s": at.timestamp(), "figures": told, "counters": counters}})


def test_a_postgres_that_tells_since_when_it_counts_is_believed() -> None:
    assert only(postgres(0), postgres(10, counted_since="noon, reset at 12:00:05")).kind == "reset"


def test_a_postgres_that_lost_a_database_was_not_reset() -> None:
    assert noticed(postgres(0, transactions_total=10.0), postgres(10, transactions_total=1.0)) == []


def test_a_postgres_that_restarts_was_not_reset_besides() -> None:
    after = postgres(10, run="2026-11-24 12:00:07+00", up_s=3, counted_since="later")
    assert [one.kind for one in noticed(postgres(0), after)] == ["restart"]


def test_a_postgres_whose_zone_was_set_anew_did_not_restart() -> None:
    assert noticed(postgres(0), postgres(10, run="2026-11-24 10:00:00.25+01", counted_since="elsewhere")) == []


def test_what_other_probes_call_a_run_is_their_own() -> None:
    """Theirs changes with a reset, and is asked for less often: after a restart it still tells of the run before."""
    looks = [postgres(0), postgres(10)]
    for look_, run in zip(looks, ("noon", "noon, reset"), strict=True):
        part = {"at_s": look_.at.timestamp() + 1, "figures": {}, "counters": {"run": run, "wal_total": 5.0 - len(run)}}
        dict.update(look_.raw, postgres_wal=part)
    assert noticed(*looks) == []


# -- silence and reach ----------------------------------------------------------------------------------------------------


def test_a_quiet_sampler_leaves_a_gap_from_when_to_when() -> None:
    one = only(look(0), look(600))
    assert (one.kind, one.at, one.ended_at) == ("gap", NOON, NOON + timedelta(minutes=10))
    assert one.words == "not looked at for 10 min: what happened then is not known"


def test_a_round_that_was_missed_is_no_gap() -> None:
    assert noticed(look(0), look(45)) == []


def test_a_gap_is_measured_from_the_last_try_not_from_the_last_answer() -> None:
    tried = Look(at=NOON + timedelta(minutes=60), raw=look(0).raw, error_kind="unreachable")
    assert [one.kind for one in noticed(tried, look(3610))] == ["down"]


@pytest.mark.parametrize(
    ("error", "signal", "words"),
    [
        ("unreachable", "down", "cannot be reached"),
        ("authentication", "crit", "sign-in refused"),
        ("odd", "crit", "cannot be read"),
    ],
)
def test_a_look_that_fails_begins_something_that_lasts(error: str, signal: str, words: str) -> None:
    one = only(look(0), look(10, error=error))
    assert (one.kind, one.signal, one.words, one.topic, one.ends) == ("down", signal, words, "reach", False)


def test_a_second_look_that_fails_is_no_news() -> None:
    assert noticed(look(0, error="unreachable"), look(10, error="timeout")) == []


def test_the_first_answer_ends_it() -> None:
    one = only(look(0, error="unreachable"), look(10))
    assert (one.kind, one.topic, one.ends) == ("down", "reach", True)


def test_a_server_that_comes_back_restarted_tells_both_in_the_order_of_time() -> None:
    before = Look(at=NOON + timedelta(seconds=50), raw=look(0).raw, error_kind="unreachable")
    news = noticed(before, look(60, run="run-2", up_s=5.0))
    assert [(one.kind, one.words) for one in news] == [
        ("restart", "restarted, was down at most 57 s"),
        ("down", "answers again"),
    ]


@pytest.mark.parametrize(
    ("moved_s", "words"),
    [(0, ""), (1.5, ""), (-1.5, ""), (3, "forward by 3 s"), (-3600, "back by 1 h"), (120, "forward by 2 min")],
)
def test_a_console_whose_own_clock_was_moved_says_so(moved_s: float, words: str) -> None:
    before, now = look(0), look(10 + moved_s)
    for seen, up_s in ((before, 500.0), (now, 510.0)):
        seen.raw["redis_info"].update(boot="b00t", up_s=up_s)
    told = [one.words for one in noticed(before, now, silent_s=9999) if one.kind == "clock"]
    assert told == ([f"the console's clock went {words}"] if words else [])


def test_a_machine_that_was_started_again_has_another_steady_clock() -> None:
    before, now = look(0), look(600)
    before.raw["redis_info"].update(boot="one", up_s=90_000.0)
    now.raw["redis_info"].update(boot="two", up_s=30.0)
    assert [one.kind for one in noticed(before, now)] == ["gap"]


# -- findings -------------------------------------------------------------------------------------------------------------

FULL: dict[str, Any] = {"used_memory_bytes": 90.0, "maxmemory_bytes": 100.0, "eviction": "noeviction"}


def test_a_finding_begins_with_the_words_of_the_verdict() -> None:
    one = only(look(0), look(10, **FULL))
    assert (one.kind, one.signal, one.words, one.topic) == ("finding", "warn", "memory 90 %", "memory")


def test_what_is_wrong_at_the_first_look_of_all_begins_then() -> None:
    assert only(Look(at=NOON), look(10, **FULL)).words == "memory 90 %"


def test_a_finding_that_only_moves_its_figure_is_no_news() -> None:
    assert noticed(look(0, **FULL), look(10, **{**FULL, "used_memory_bytes": 92.0})) == []


def test_a_finding_that_becomes_worse_is_news_and_one_that_becomes_better_is_none() -> None:
    worse = {**FULL, "used_memory_bytes": 97.0}
    one = only(look(0, **FULL), look(10, **worse))
    assert (one.signal, one.words, one.ends) == ("crit", "memory 97 %", False)
    assert noticed(look(0, **worse), look(10, **FULL)) == []


def test_a_finding_ends() -> None:
    one = only(look(0, **FULL), look(10, **{**FULL, "used_memory_bytes": 10.0}))
    assert (one.kind, one.topic, one.ends) == ("finding", "memory", True)


def failing_besides(of: Look) -> Look:
    broken = {"at_s": of.at.timestamp(), "figures": {}, "counters": {}, "error": "not permitted"}
    return Look(at=of.at, raw={**of.raw, "redis_more": broken})


def test_nothing_ends_while_a_probe_fails_for_it_cannot_be_told() -> None:
    assert noticed(look(0, **FULL), failing_besides(look(10))) == []


def test_when_the_probe_answers_again_everything_ends_that_is_not_found_any_more() -> None:
    one = only(failing_besides(look(0, **FULL)), look(10, **FULL))
    assert (one.kind, one.topic, one.ends, one.still) == ("finding", "", True, frozenset({"memory"}))


@pytest.mark.parametrize(
    ("reason", "topic"),
    [
        ("memory 91 %", "memory"),
        ("a lock held 4 min", "a lock held"),
        ("last save failed", "last save failed"),
        ("transaction ids 51 %", "transaction ids"),
    ],
)
def test_a_topic_is_what_a_finding_is_about(reason: str, topic: str) -> None:
    assert topic_of(Finding(signal="warn", reason=reason)) == topic

"""What may be said of one look, and what may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.engine.contracts.adapter import Age, Count, Known, Queue, Snapshot, Worker, Workers
from apps.engine.errors import Gone
from apps.queues.verdicts import Verdict, judged

ALIVE = Workers(known=Known.EXACT, workers=(Worker(name=b"w", alive=True, state="idle"),))
GONE = Workers(known=Known.EXACT, workers=(Worker(name=b"w", alive=False, state="gone"),))
NOT_TOLD = Workers(known=Known.UNKNOWN, why="not told")
CALM = Snapshot(
    queue=Queue(adapter="rq", framework="RQ", database="0", name=b"emails"),
    ready=Count.exact(5), running=Count.exact(1), scheduled=Count.exact(0), failed=Count.exact(0), abandoned=Count.exact(0),
    oldest=Age.exact(3), workers=ALIVE, states=(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "unmoved_s", "verdict"),
    [
        ({}, 0, Verdict.WELL),
        ({"ready": Count.exact(0), "workers": GONE}, 0, Verdict.WELL),
        ({"workers": GONE}, 0, Verdict.DEAD),
        ({"workers": Workers(known=Known.EXACT)}, 0, Verdict.DEAD),
        ({"workers": NOT_TOLD}, 0, Verdict.WELL),
        ({"oldest": Age.exact(301)}, 0, Verdict.BEHIND),
        ({"oldest": Age.exact(100)}, 0, Verdict.WAITING),
        ({"oldest": Age.unknown("no time")}, 0, Verdict.WAITING),
        ({"oldest": Age.unknown("no time")}, 90, Verdict.WAITING),
        ({"oldest": Age.unknown("no time"), "running": Count.exact(0)}, 121, Verdict.STALLED),
        ({"oldest": Age.unknown("no time")}, 121, Verdict.WAITING),
        ({"oldest": Age.unknown("no time")}, 400, Verdict.BEHIND),
        ({"paused": True, "workers": GONE}, 0, Verdict.PAUSED),
        ({"abandoned": Count.exact(2)}, 0, Verdict.ABANDONED),
        ({"abandoned": Count.exact(2), "ready": Count.exact(0)}, 0, Verdict.ABANDONED),
        ({"ready": Count.unknown("refused")}, 0, Verdict.UNKNOWN),
        ({"ready": Count.at_least(10_000, "capped"), "workers": GONE}, 0, Verdict.DEAD),
    ],
)
def test_the_verdict_follows_from_what_is_known(change: dict[str, object], unmoved_s: float, verdict: Verdict) -> None:
    said = judged(replace(CALM, **change), unmoved_s=unmoved_s)  # type: ignore[arg-type]
    assert said.verdict is verdict
    assert said.reason


def test_an_unmoved_head_bounds_an_unknown_age_only() -> None:
    assert judged(replace(CALM, oldest=Age.unknown("no time")), unmoved_s=50).oldest.low_s == 50
    assert judged(CALM, unmoved_s=50).oldest.low_s == 3


def test_the_worst_stand_first_and_then_the_longest() -> None:
    dead = judged(replace(CALM, workers=GONE), unmoved_s=0)
    long = judged(replace(CALM, ready=Count.exact(90)), unmoved_s=0)
    calm = judged(CALM, unmoved_s=0)
    assert sorted([calm, long, dead], key=lambda each: each.order) == [dead, long, calm]


@pytest.mark.parametrize("name", [b"emails", b"\x00\xff;,", b"a" * 5000, b"0,0,0;"])
def test_a_queue_survives_its_own_address(name: bytes) -> None:
    queue = Queue(adapter="celery", framework="", database="3", name=name, part=b"p;,\x00", prefix=b"shop:")
    assert Queue.parse("celery", queue.ref) == queue


@pytest.mark.parametrize("text", ["", "AA", "!!", "MSwwLDA7", "LTEsMCwwO3h4eA"])
def test_what_is_no_address_is_gone(text: str) -> None:
    with pytest.raises(Gone):
        Queue.parse("rq", text)

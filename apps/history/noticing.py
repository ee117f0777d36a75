"""What happened between two looks at one node. Pure: two looks in, events out, so that every row of it can be tested.

A look that failed still holds what was known last: `raw` is by probe, each part with the second of its answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apps.engine.text import storable
from apps.engine.units import duration_text
from apps.history.verdict import Finding, failure, findings

Raw = Mapping[str, Any]
SILENT_S = 60.0  # a sampler that was quiet for less missed a round or two
SLACK_S = 2.0  # Redis tells its uptime in whole seconds, and clocks of two machines differ
SLEWED_RATIO = 0.001  # how much faster than time a clock is put right without a step
FAILED = "failed"  # stands in the place of a probe for a node that did not answer
RUN, ROLE, VERSION, UP_S, COUNTED_SINCE = "run", "role", "version", "up_s", "counted_since"
WHO = ("redis_info", "postgres_stats")  # the probes that tell who a node is: others use the same words for their own
# What a node calls the history that it writes or follows: another one is another primary.
LINEAGES = ("replication_id", "timeline", "system_identifier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at one node. `error_kind` is the engine's word for why it failed, empty where it did not."""

    at: datetime
    raw: Raw = field(default_factory=dict)
    error_kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """One thing to note. With a `topic` it lasts: it begins, or `ends`, and is found again by kind, node and topic.

    What ends without a topic ends whatever it was about, but for the topics in `still`.
    """

    kind: str
    words: str
    at: datetime
    signal: str = ""
    topic: str = ""
    ends: bool = False
    still: frozenset[str] = frozenset()
    ended_at: datetime | None = None
    key: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def noticed(before: Look, now: Look, *, disk_bytes: int | None = None, silent_s: float = SILENT_S) -> list[Noticed]:
    """Everything that differs between two looks, in the order of time. Empty, as nearly always, when nothing does."""
    news = [*_silence(before, now, silent_s), *_reach(before, now), *_clock(before, now)]
    if not now.error_kind and now.raw:
        news += [*_identity(before, now), *_standing(before, now, disk_bytes)]
    return sorted(news, key=lambda one: one.at)


# -- whether it could be looked at --------------------------------------------------------------------------------------


def _silence(before: Look, now: Look, silent_s: float) -> Iterator[Noticed]:
    quiet_s = (now.at - before.at).total_seconds()
    if quiet_s > silent_s:
        words = f"not looked at for {duration_text(quiet_s)}: what happened then is not known"
        yield Noticed(kind="gap", words=words, at=before.at, ended_at=now.at, signal="unknown")


def _reach(before: Look, now: Look) -> Iterator[Noticed]:
    if now.error_kind and not before.error_kind:
        why = failure(now.error_kind)
        yield Noticed(kind="down", words=why.reason, at=now.at, signal=why.signal, topic="reach")
    if before.error_kind and not now.error_kind:
        yield Noticed(kind="down", words="answers again", at=now.at, topic="reach", ends=True)


def _clock(before: Look, now: Look) -> Iterator[Noticed]:
    """The console's own clock, moved between two answers: other servers tell the same move by the same key."""
    for key, part in now.raw.items():
        was = before.raw.get(key, {})
        if part.get("boot") is None or part["boot"] != was.get("boot"):
            continue
        passed_s = part["up_s"] - was["up_s"]
        moved_s = part["at_s"] - was["at_s"] - passed_s
        if abs(moved_s) >= SLACK_S + abs(passed_s) * SLEWED_RATIO:
            words = f"the console's clock went {'forward' if moved_s > 0 else 'back'} by {duration_text(abs(moved_s))}"
            same = f"clock:{part['boot'][:8]}:{round((part['at_s'] - part['up_s']) / 10)}"
            yield Noticed(kind="clock", words=words, at=_moment(part["at_s"]), signal="warn", key=same)
            return


# -- who it is ----------------------------------------------------------------------------------------------------------


def _identity(before: Look, now: Look) -> Iterator[Noticed]:
    other_run = _is_other_run(before, now)
    if other_run:
        yield _restart(before, now)
    elif _is_reset(before, now):
        yield _reset(now)
    if versions := _changed(before, now, VERSION):
        yield Noticed(kind="version", words=f"version {versions[0]} → {versions[1]}", at=_answered_at(now))
    yield from _failover(before, now, restarted=other_run)


def _is_other_run(before: Look, now: Look) -> bool:
    """PostgreSQL tells its start as a time in the zone of the session: the same moment in another zone is no restart."""
    runs = _changed(before, now, RUN)
    if runs is None:
        return False
    with suppress(ValueError, TypeError):
        return datetime.fromisoformat(runs[0]) != datetime.fromisoformat(runs[1])
    return True


def _restart(before: Look, now: Look) -> Noticed:
    """What was up already when it was looked at last did not restart: another server answers at this address."""
    seen_at, answered_at, up_s = _answered_at(before), _answered_at(now), _value(now.raw, UP_S)
    if not isinstance(up_s, int | float):
        return Noticed(kind="restart", words="restarted", at=answered_at, signal="warn")
    started_s = answered_at.timestamp() - up_s
    if started_s < seen_at.timestamp() - SLACK_S:
        words = f"another server answers at this address: up for {duration_text(max(up_s, 1))} already"
        return Noticed(kind="failover", words=words, at=answered_at, signal="warn")
    down_s = max(started_s - seen_at.timestamp(), 0) + SLACK_S
    return Noticed(
        kind="restart",
        words=f"restarted, was down at most {duration_text(down_s)}",
        at=max(seen_at, _moment(started_s)),
        signal="warn",
        detail={"down_at_most_s": round(down_s, 1), "seen_up_at": seen_at.isoformat()},
    )


def _is_reset(before: Look, now: Look) -> bool:
    """Where the server tells since when it counts, that decides; else a counter that fell: within a run they only grow."""
    if _value(now.raw, COUNTED_SINCE) is not None:
        return _changed(before, now, COUNTED_SINCE) is not None and _changed(before, now, RUN) is None
    was, is_ = (_who(look.raw).get("counters", {}) for look in (before, now))
    pairs = [(was.get(name), value) for name, value in is_.items()]
    return any(isinstance(w, int | float) and isinstance(v, int | float) and v < w for w, v in pairs)


def _reset(now: Look) -> Noticed:
    words = "counters began anew without a restart: statistics were reset"
    return Noticed(kind="reset", words=words, at=_answered_at(now))


def _failover(before: Look, now: Look, *, restarted: bool) -> Iterator[Noticed]:
    if roles := _changed(before, now, ROLE):
        was, is_ = roles
        words = {"primary": f"promoted: it is the primary, and was a {was}"}.get(
            is_, f"it is a {is_} now, and was a {was}"
        )
        yield Noticed(
            kind="failover", words=words, at=_answered_at(now), signal="warn", detail={"from": was, "to": is_}
        )
    elif not restarted and (name := next((name for name in LINEAGES if _changed(before, now, name)), "")):
        words = "what it follows began anew: its primary restarted, or is another one"
        if _value(now.raw, ROLE) == "primary":
            words = "its history began anew without a restart"
        yield Noticed(kind="failover", words=words, at=_answered_at(now), signal="warn", detail={"by": name})


# -- how it is ----------------------------------------------------------------------------------------------------------


def topic_of(finding: Finding) -> str:
    """What a finding is about, whatever its figure: `memory` of "memory 91 %"."""
    return re.split(r"[≈<>]?\d", finding.reason)[0].strip()


def _standing(before: Look, now: Look, disk_bytes: int | None) -> Iterator[Noticed]:
    """Findings that began or ended, and those that became worse. None ends while a probe fails: it cannot be told then."""
    was, are = (_by_topic(findings(figures(look.raw), disk_bytes=disk_bytes)) for look in (before, now))
    for topic, finding in are.items():
        if topic not in was or finding.rank < was[topic].rank:
            yield Noticed(kind="finding", words=finding.reason, at=now.at, signal=finding.signal, topic=topic)
    if not _fails(now.raw):
        if _fails(before.raw):
            yield Noticed(kind="finding", words="", at=now.at, ends=True, still=frozenset(are))
        for topic in was.keys() - are.keys():
            yield Noticed(kind="finding", words=was[topic].reason, at=now.at, topic=topic, ends=True)


def _fails(raw: Raw) -> bool:
    return any(part.get("error") for part in _parts(raw))


def _by_topic(found: Iterable[Finding]) -> dict[str, Finding]:
    """Worst first in, so that the worst of a topic stands."""
    return {topic_of(finding): finding for finding in reversed(list(found))}


# -- looking into raw ---------------------------------------------------------------------------------------------------


def figures(raw: Raw) -> dict[str, Any]:
    """All figures of a look, whichever probe gave them."""
    return {name: value for part in _parts(raw) for name, value in part.get("figures", {}).items()}


def version_of(raw: Raw) -> str:
    """The version that a node told; empty where it did not."""
    return _text(_value(raw, VERSION) or "")


def _parts(raw: Raw) -> list[Raw]:
    return [part for part in raw.values() if part.get("at_s") is not None]


def _who(raw: Raw) -> Raw:
    """What the probe said that tells who the node is; nothing when it did not answer."""
    return next((raw[key] for key in WHO if raw.get(key, {}).get("at_s") is not None), {})


def _value(raw: Raw, name: str) -> Any:
    """What that probe told, as a figure or as a counter."""
    who = _who(raw)
    value = who.get("figures", {}).get(name)
    return who.get("counters", {}).get(name) if value is None else value


def _answered_at(look: Look) -> datetime:
    at_s = _who(look.raw).get("at_s")
    return look.at if at_s is None else _moment(at_s)


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _changed(before: Look, now: Look, name: str) -> tuple[str, str] | None:
    """From what to what; None where it is the same, or where either does not tell."""
    was, is_ = _value(before.raw, name), _value(now.raw, name)
    return None if was is None or is_ is None or was == is_ else (_text(was), _text(is_))


def _text(value: Any) -> str:
    return storable(str(int(value) if isinstance(value, float) and value.is_integer() else value))[:80]

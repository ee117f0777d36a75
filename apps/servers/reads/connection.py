"""Can a server be reached as registered, and what is it? One attempt, an answer within three seconds whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from apps.engine.connections.redis import redis_node
from apps.engine.connections.sniff import Answer, Speaks, sniff
from apps.engine.errors import EngineError, TimedOut, TLSFailed, WrongKind
from apps.engine.target import Kind, Target
from apps.engine.units import count, share
from apps.servers.reads.identity import identify
from apps.servers.reads.records import Identity
from apps.servers.reads.rights import Rights, probe

Value = TypeVar("Value")
WITHIN_S = 3.0
STEP_S = 1.0

# What a framework leaves on a Redis whatever its queues are called -> who it is.
LANDMARKS = (
    ("rq:queues", "RQ"),
    ("_kombu.binding.celery", "Celery"),
    ("queues", "Sidekiq"),
    ("dramatiq:__heartbeats__", "Dramatiq"),
    ("arq:queue", "Arq"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What a server looks like: a WorkloadRole's value, and why."""

    role: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReport:
    """A connection that worked. `took_s` is the whole try; `identity.round_trip_s` one question."""

    identity: Identity
    rights: Rights
    looks_like: Guess | None
    took_s: float


def test_connection(target: Target, *, within_s: float = WITHIN_S) -> ConnectionReport:
    """Reach a server once and say what it is and what the account may do there.

    Cost: at most four short connections; the password is sent only after the address was found to speak the right protocol.
    Errors, each its own: Unreachable, NameNotResolved, TimedOut, AddressRefused, TLSFailed, AuthenticationFailed,
    NotPermitted, WrongKind, TooOld, Busy, Gone (no such database). Never later than `within_s`.
    Source: see sniff, identify and probe.
    """
    patient = replace(
        target,
        connect_timeout_s=min(target.connect_timeout_s, STEP_S),
        read_timeout_s=min(target.read_timeout_s, STEP_S),
    )
    return _within(within_s, target, lambda: _tried(patient))


test_connection.__test__ = False  # type: ignore[attr-defined]  # the name is the product's; pytest shall not collect it


def _tried(target: Target) -> ConnectionReport:
    begun = time.monotonic()
    if not target.address.is_socket:
        _check_speaks(target, sniff(target, timeout_s=0.6))
    identity = identify(target)
    rights = probe(target)
    return ConnectionReport(
        identity=identity, rights=rights, looks_like=_guess(target, identity, rights), took_s=time.monotonic() - begun
    )


def _within(seconds: float, target: Target, question: Callable[[], Value]) -> Value:
    """The answer, or TimedOut. Resolvers and handshakes have no time-out of their own, so a thread is left to end by itself."""
    answers: list[Value] = []
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            answers.append(question())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=ask, daemon=True, name=f"try {target.address}")
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if not answers:
        raise TimedOut(
            f"{target.address} did not answer within {seconds:g} s.",
            way_out="Check the name server, firewalls, and whether the server is busy.",
        )
    return answers[0]


_NAMES = {Kind.REDIS: "Redis", Kind.POSTGRES: "PostgreSQL"}
_ELSE = {
    Speaks.REDIS: "A Redis answers",
    Speaks.POSTGRES: "A PostgreSQL answers",
    Speaks.HTTP: "A web server answers",
    Speaks.TLS: "Something that only speaks TLS answers",
    Speaks.NOTHING_KNOWN: "Something that is neither Redis nor PostgreSQL answers",
}


def _check_speaks(target: Target, answer: Answer) -> None:
    """Before any password is sent. Errors: WrongKind, TLSFailed."""
    if target.kind == Kind.REDIS and answer.speaks is Speaks.TLS:
        if target.tls is None:
            raise TLSFailed(f"{target.address} only speaks TLS on this port.", way_out="Turn TLS on.")
        return
    if target.kind.value != answer.speaks.value:
        raise WrongKind(
            f"{_ELSE[answer.speaks]} at {target.address}, not a {_NAMES[target.kind]}.",
            way_out="Choose the other kind."
            if answer.speaks in ("redis", "postgres")
            else "Check the address and the port.",
        )
    if target.tls is not None and answer.offers_tls is not True:
        raise TLSFailed(
            f"{target.address} does not speak TLS on this port.",
            way_out="Turn TLS off, or register the port that speaks TLS.",
        )


def _guess(target: Target, identity: Identity, rights: Rights) -> Guess | None:
    """What it is for, from what it holds. Nothing is guessed where nothing can be told."""
    if target.kind == Kind.POSTGRES:
        return Guess(role="primary", because="a primary") if identity.role == "primary" else None
    may_look = any(c.key == "queues.view" and c.ok for c in rights.capabilities)
    if may_look and (found := _landmarks(target)):
        return Guess(role="queue", because=f"a queue: it holds keys of {' and '.join(found)}")
    keys, expiring = identity.keys_count or 0, identity.expiring_count or 0
    if keys and expiring / keys >= 0.5:
        return Guess(role="cache", because=f"a cache: {share(expiring / keys)} % of its {count(keys)} keys expire")
    return None


def _landmarks(target: Target) -> list[str]:
    try:
        with redis_node(target) as node:
            replies = node.pipeline([("EXISTS", name) for name, _ in LANDMARKS])
    except EngineError:
        return []
    return [framework for (_, framework), reply in zip(LANDMARKS, replies, strict=True) if reply == 1]

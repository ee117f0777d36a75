"""One Celery message as kombu's Redis transport stores it: JSON around a base64 body. The body is read only where it is JSON too.

A message carries no time of its own. Three stamps are known from the wild and read where they are there: the header
`enqueued_at` (see docs/queues.md), Sentry's `sentry-task-enqueued-time`, and `published_at` of autoscalers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.engine.contracts.adapter import Job, Payload, Row
from apps.queues import payloads, reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """`id` is the task's id, or a digest of the bytes for what is no Celery message. Times are aware, None where not told."""

    id: bytes
    task: bytes
    arguments: bytes
    retries: str
    eta: datetime | None
    stamped_at: datetime | None
    size_bytes: int
    headers: Mapping[str, Any]
    body: Mapping[str, Any]

    @property
    def readable(self) -> bool:
        return bool(self.task)


def parse(raw: bytes) -> Message:
    """Never fails: garbage is a message without a task."""
    return of_object(payloads.json_object(raw), raw)


def of_object(whole: Mapping[str, Any], raw: bytes) -> Message:
    """The same where the JSON was read already; `raw` is what it was read from."""
    headers = _mapping(whole.get("headers"))
    properties = _mapping(whole.get("properties"))
    return Message(
        id=payloads.text(headers.get("id"), most=200)
        or b"sha1-" + hashlib.sha1(raw, usedforsecurity=False).hexdigest().encode(),
        task=payloads.text(headers.get("task"), most=300),
        arguments=_arguments(headers),
        retries=str(headers["retries"]) if isinstance(headers.get("retries"), int) else "",
        eta=_time(headers.get("eta")),
        stamped_at=_stamp(headers, properties),
        size_bytes=len(raw),
        headers=headers,
        body=whole,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _arguments(headers: Mapping[str, Any]) -> bytes:
    parts = [payloads.text(headers.get(name)) for name in ("argsrepr", "kwargsrepr")]
    return b" ".join(part for part in parts if part and part != b"{}")


def _time(value: Any) -> datetime | None:
    return reads.parsed_time(value.encode("utf-8", "replace")) if isinstance(value, str) else None


def _stamp(headers: Mapping[str, Any], properties: Mapping[str, Any]) -> datetime | None:
    for value in (headers.get("enqueued_at"), headers.get("sentry-task-enqueued-time"), properties.get("published_at")):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return reads.moment(value)
        if isinstance(value, str) and (at := reads.moment(value.encode("utf-8", "replace")) or _time(value)):
            return at
    return None


def row(message: Message, *, at: datetime | None) -> Row:
    if not message.readable:
        return Row(
            id=message.id, call=b"", at=at, note=f"no Celery message: {message.size_bytes:,} bytes of something else"
        )
    return Row(id=message.id, call=message.task, arguments=message.arguments, at=at, attempts=message.retries)


def job(message: Message, extra: tuple[tuple[str, bytes], ...] = ()) -> Job:
    names = (
        ("Lang", "lang"),
        ("Origin", "origin"),
        ("ETA", "eta"),
        ("Expires", "expires"),
        ("Retries", "retries"),
        ("Root", "root_id"),
        ("Parent", "parent_id"),
    )
    facts = tuple(
        (title, value) for title, name in names if (value := payloads.text(message.headers.get(name), most=300))
    )
    return Job(
        id=message.id, call=message.task, arguments=message.arguments, facts=extra + facts, payload=_payload(message)
    )


def _payload(message: Message) -> Payload:
    body = message.body.get("body")
    if not isinstance(body, str):
        return Payload(
            size_bytes=message.size_bytes, steps=("bytes",), why="No Celery message: nothing is known of its shape."
        )
    raw = body.encode("utf-8", "surrogatepass")
    steps: tuple[str, ...] = ()
    if _mapping(message.body.get("properties")).get("body_encoding") == "base64":
        raw, steps = payloads.unbase64(raw), ("base64",)
    kind = payloads.text(message.body.get("content-type"), most=60)
    if kind != b"application/json":
        why = "Opening it could run code; the call is shown as the sender described it."
        return Payload(size_bytes=len(raw), steps=(*steps, *payloads.steps_of(raw)), why=why)
    shown = payloads.indented(raw) or raw
    return Payload(
        size_bytes=len(raw),
        steps=(*steps, "JSON"),
        body=shown[: payloads.SHOWN_BYTES],
        cut=len(shown) > payloads.SHOWN_BYTES,
    )

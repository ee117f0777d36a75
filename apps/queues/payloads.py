"""What jobs carry, made readable without running any of it: base64, zlib and JSON, each with a bound. Pickles stay closed."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

MOST_JSON_BYTES = 1024 * 1024
MOST_TEXT_BYTES = 256 * 1024
SHOWN_BYTES = 64 * 1024


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`, or an empty one for anything else, anything too large and anything too deep."""
    if len(raw) > MOST_JSON_BYTES:
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def inflated(raw: bytes, *, most: int = MOST_TEXT_BYTES) -> tuple[bytes, bool]:
    """What zlib unpacks, at most `most` bytes of it, and whether it was cut. Empty for what is not zlib."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(raw, most)
    except zlib.error:
        return b"", False
    return text, bool(stream.unconsumed_tail) or not stream.eof


def unbase64(raw: bytes) -> bytes:
    try:
        return base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        return b""


def traceback_of(exc_string: bytes) -> tuple[bytes, bool]:
    """RQ's exc_string: base64 of zlib of text. Anything else is given back as it is, cut."""
    text, cut = inflated(unbase64(exc_string))
    if text:
        return text, cut
    return exc_string[:MOST_TEXT_BYTES], len(exc_string) > MOST_TEXT_BYTES


def steps_of(raw: bytes) -> tuple[str, ...]:
    """How a payload is packed, told from its first bytes: ("zlib", "pickle, not read")."""
    inner, _ = inflated(raw, most=16) if raw[:1] == b"\x78" else (b"", False)
    steps = ("zlib",) if inner else ()
    start = inner or raw
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return (*steps, "pickle, not read")
    if start[:1] in (b"{", b"["):
        return (*steps, "JSON")
    return (*steps, "bytes")


def text(value: Any, *, most: int = 4096) -> bytes:
    """A JSON value as bytes to show: text as it is, anything else as JSON again."""
    if value is None:
        return b""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown.encode("utf-8", "surrogatepass")[:most]


def indented(raw: bytes) -> bytes | None:
    """JSON laid out for reading, or None for what is not JSON or too large to lay out."""
    if len(raw) > MOST_JSON_BYTES:
        return None
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return None


def split_call(description: bytes) -> tuple[bytes, bytes]:
    """RQ's description "module.call(1, b=2)" as call and arguments; the arguments may be a customer's data."""
    call, bracket, arguments = description.partition(b"(")
    return call.strip(), bracket + arguments


def error_of(traceback: bytes) -> tuple[bytes, bytes, bytes]:
    """(exception, its message, last frame as "file.py:88 in call") of a Python traceback; what is not one is an error without frame."""
    lines = [line for line in traceback.splitlines() if line.strip()]
    if not lines:
        return b"unknown", b"", b""
    frames = [line.strip() for line in lines if line.startswith(b"  File ")]
    after = next((i for i in range(len(lines) - 1, -1, -1) if lines[i].startswith(b" ")), -1)
    last = lines[after + 1] if after + 1 < len(lines) else lines[-1]
    error, _, message = last.partition(b":")
    name = error.strip().rpartition(b".")[2]
    return name[:200], message.strip()[:2000], _frame(frames[-1]) if frames else b""


def _frame(line: bytes) -> bytes:
    """`File "/app/mail/send.py", line 88, in deliver` as `mail/send.py:88 in deliver`."""
    words = line.split(b'"')
    if len(words) < 3:
        return b""
    number, _, call = words[2].removeprefix(b", line ").partition(b", in ")
    return b"/".join(words[1].split(b"/")[-2:])[:120] + b":" + number[:9] + (b" in " + call[:80] if call else b"")

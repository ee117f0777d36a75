"""Bytes of a value as something a person can read. Pure: bytes in, a frozen record out; nothing is ever loaded or run.

Every way has its own bound: unpacking is streamed up to 1 MB and a ratio, JSON is indented without being rebuilt, pickles are
listed opcode by opcode, a hex view ends after 16 KiB. What is not understood is shown as bytes, never guessed.
"""

from __future__ import annotations

import codecs
import enum
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from apps.engine import text
from apps.keyspace import json_layout, pickle_listing
from apps.keyspace.unpacking import UNPACKED_BYTES, unpacked

SHOWN_BYTES = 64 * 1024
HEX_BYTES = 16 * 1024


# What is laid out in lines here, and so may lose its line breaks in a preview.
_LISTED = ("JSON", "pickle, not run")


class View(enum.StrEnum):
    AUTO = "auto"
    TEXT = "text"
    JSON = "json"
    HEX = "hex"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """`steps` is how it was read, outermost first: ("zlib", "JSON"). `body` may hold line breaks and hidden characters.

    `unpacked_bytes` is the size after the last unpacking, a lower bound where `cut`; `problem` says what did not work.
    """

    steps: tuple[str, ...]
    body: bytes
    hint: str = ""
    unpacked_bytes: int | None = None
    cut: bool = False
    problem: str = ""

    @property
    def kind(self) -> str:
        return ", ".join(self.steps)

    def preview(self, *, most: int = 160) -> list[tuple[str, bool]]:
        """One line: runs of text, each with whether it is an escape."""
        line = self.body[: most * 4]
        if self.steps[-1] in _LISTED:
            line = (f"{self.hint}: " if self.hint else "").encode() + re.sub(rb"\s+", b" ", line)
        runs = text.pieces(line, most=most)
        return [*runs, ("…", False)] if len(line) > most or len(self.body) > most * 4 else runs

    def runs(self, *, most: int = SHOWN_BYTES) -> list[tuple[str, bool]]:
        """The whole, with its line breaks: runs of text, each with whether it is an escape."""
        return list(_runs(self.body[:most]))


def decode(raw: bytes, *, view: View = View.AUTO, whole: bool = True, most_bytes: int = UNPACKED_BYTES) -> Decoded:
    """`whole` is False when `raw` is only a part of its value: then nothing that needs its end is claimed.

    At most `most_bytes` (never over 1 MB) are unpacked; a page of many values shares one such budget.
    """
    if view is View.HEX:
        return _hex(raw)
    inner, layers = unpacked(raw, min(most_bytes, UNPACKED_BYTES))
    if view is View.TEXT and not layers:
        return Decoded(steps=("text",), body=raw)
    read = _read(inner.body, view, whole=whole and not inner.cut)
    return replace(
        read,
        steps=(*layers, *read.steps),
        unpacked_bytes=len(inner.body) if layers else None,
        cut=inner.cut or read.cut,
        problem=inner.problem or read.problem,
    )


def _read(raw: bytes, view: View, *, whole: bool) -> Decoded:
    if view is View.TEXT:
        return Decoded(steps=("text",), body=raw)
    if view is View.JSON:
        return _json(raw) or Decoded(steps=("text",), body=raw, problem="This is not JSON.")
    readers: tuple[Callable[[bytes], Decoded | None], ...] = (_number, _json, _pickle) if whole else ()
    for reader in readers:
        if (read := reader(raw)) is not None:
            return read
    return _text(raw, whole=whole) or Decoded(steps=("bytes",), body=raw, hint=_picture(raw))


# Numbers, times, text, pictures -----------------------------------------------------------------------------------

_NUMBER = re.compile(rb"-?\d{1,40}(\.\d{1,20})?")
_EPOCHS = ((1, "epoch s"), (1_000, "epoch ms"), (1_000_000, "epoch µs"))
_EPOCH_FROM_S, _EPOCH_TO_S = 1_000_000_000, 4_102_444_800  # 2001 to 2100: seconds, ms and µs do not overlap


def _number(raw: bytes) -> Decoded | None:
    found = _NUMBER.fullmatch(raw)
    if found is None:
        return None
    word, hint = epoch(raw)
    return Decoded(steps=(word or ("number" if found.group(1) else "integer"),), body=raw, hint=hint)


def epoch(raw: bytes) -> tuple[str, str]:
    """("epoch s", "20 Nov 2026 03:11:54 UTC") for a number that looks like a time between 2001 and 2100, else two ""."""
    value = float(raw)
    for divisor, word in _EPOCHS:
        if _EPOCH_FROM_S <= value / divisor < _EPOCH_TO_S and math.isfinite(value):
            return word, f"{datetime.fromtimestamp(value / divisor, UTC):%-d %b %Y %H:%M:%S} UTC"
    return "", ""


_TAIL = re.compile(rb"^[\x80-\xbf]{1,3}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _text(raw: bytes, *, whole: bool) -> Decoded | None:
    """UTF-8 without control characters other than white space; of a part, a character cut at either end is forgiven."""
    seen = raw if whole else _TAIL.sub(b"", raw)
    try:
        decoded = codecs.getincrementaldecoder("utf-8")().decode(seen, final=whole)
    except UnicodeDecodeError:
        return None
    if _CONTROL.search(decoded) or (raw and not decoded):
        return None
    return Decoded(steps=("text",), body=raw)


_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "picture, PNG"), (b"\xff\xd8\xff", "picture, JPEG"), (b"GIF8", "picture, GIF"),
    (b"RIFF", "RIFF container"), (b"%PDF-", "PDF document"), (b"PK\x03\x04", "ZIP archive"),
    (b"SQLite format 3\x00", "SQLite database"), (b"\xac\xed\x00\x05", "Java serialisation, not read"),
)  # fmt: skip


def _picture(raw: bytes) -> str:
    """What the first bytes say. Never rendered."""
    return next((word for magic, word in _PICTURES if raw.startswith(magic)), "")


# What is laid out in lines ----------------------------------------------------------------------------------------


def _json(raw: bytes) -> Decoded | None:
    try:
        laid = json_layout.layout(raw)
    except json_layout.TooDeep as deep:
        return Decoded(steps=("text",), body=raw, problem=str(deep))
    if laid is None:
        return None
    return Decoded(steps=("JSON",), body=laid.body.encode("utf-8"), cut=laid.cut, hint=laid.hint)


def _pickle(raw: bytes) -> Decoded | None:
    told = pickle_listing.listing(raw)
    if told is None:
        return None
    lines = [*(f"builds {name}" for name in told.builds), *told.lines]
    hint = f"{len(told.lines):,} opcodes{' and more' if told.problem else ''}"
    body = "\n".join(lines).encode("utf-8", "surrogateescape")
    return Decoded(steps=("pickle, not run",), body=body, hint=hint, problem=told.problem)


# Hex and runs -----------------------------------------------------------------------------------------------------


def _hex(raw: bytes) -> Decoded:
    lines = []
    for at in range(0, min(len(raw), HEX_BYTES), 16):
        row = raw[at : at + 16]
        seen = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)
        lines.append(f"{at:08x}  {row.hex(' ', 1):<47}  {seen}")
    return Decoded(steps=("hex",), body="\n".join(lines).encode(), cut=len(raw) > HEX_BYTES)


def _runs(raw: bytes) -> Iterator[tuple[str, bool]]:
    for index, line in enumerate(raw.split(b"\n")):
        if index:
            yield "\n", False
        decoded = line.decode("utf-8", "surrogateescape")
        if decoded.isprintable():
            yield decoded, False
        else:
            yield from text.pieces(line, most=len(line))

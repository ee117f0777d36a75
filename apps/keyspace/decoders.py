"""Bytes of a value as something a person can read. Pure: bytes in, a frozen record out; nothing is ever loaded or run.

Every way has its own bound: unpacking is streamed up to 1 MB and a ratio, JSON is indented without being rebuilt, pickles are
listed opcode by opcode, a hex view ends after 16 KiB. What is not understood is shown as bytes, never guessed.
"""

from __future__ import annotations

import codecs
import enum
import io
import json
import math
import pickletools
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import zstandard

from apps.engine import text

UNPACKED_BYTES = 1_000_000
RATIO_FREE_BYTES = 64 * 1024
MOST_RATIO = 200
MOST_LAYERS = 2
SHOWN_BYTES = 64 * 1024
HEX_BYTES = 16 * 1024
JSON_LEVELS = 200
JSON_SHOWN = 256 * 1024
PICKLE_OPCODES = 400
ZSTD_WINDOW_BYTES = 8 * 1024 * 1024


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
    unpacked, layers = _unpacked(raw, min(most_bytes, UNPACKED_BYTES))
    if view is View.TEXT and not layers:
        return Decoded(steps=("text",), body=raw)
    read = _read(unpacked.body, view, whole=whole and not unpacked.cut)
    return replace(
        read,
        steps=(*layers, *read.steps),
        unpacked_bytes=len(unpacked.body) if layers else None,
        cut=unpacked.cut or read.cut,
        problem=unpacked.problem or read.problem,
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


# Unpacking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unpacked:
    body: bytes
    cut: bool = False
    problem: str = ""


def _unpacked(raw: bytes, most_bytes: int) -> tuple[_Unpacked, tuple[str, ...]]:
    """At most two layers: a bomb in a bomb in a bomb stays one."""
    current = _Unpacked(body=raw)
    names: list[str] = []
    for _ in range(MOST_LAYERS):
        found = _layer(current.body, most_bytes)
        if found is None or current.cut:
            break
        names.append(found[0])
        current = found[1]
    return current, tuple(names)


def _layer(raw: bytes, most_bytes: int) -> tuple[str, _Unpacked] | None:
    cap = min(most_bytes, max(RATIO_FREE_BYTES, len(raw) * MOST_RATIO))
    if raw.startswith(b"\x1f\x8b\x08"):
        return _named("gzip", _inflated(raw, 31, cap))
    if raw.startswith(b"\x28\xb5\x2f\xfd"):
        return _named("zstd", _zstd(raw, cap))
    if len(raw) >= 8 and raw[0] & 0x0F == 8 and raw[0] >> 4 <= 7 and int.from_bytes(raw[:2], "big") % 31 == 0:
        return _named("zlib", _inflated(raw, 15, cap))
    return None


def _named(name: str, unpacked: _Unpacked | None) -> tuple[str, _Unpacked] | None:
    """Nothing came out: the first bytes only looked like it."""
    return (name, unpacked) if unpacked is not None and unpacked.body else None


def _inflated(raw: bytes, window_bits: int, cap: int) -> _Unpacked | None:
    machine = zlib.decompressobj(window_bits)
    try:
        body = machine.decompress(raw, cap)
    except zlib.error:
        return None
    if machine.eof:
        return _Unpacked(body=body)
    return _Unpacked(body=body, cut=True, problem=_why_cut(len(body), len(raw), cap))


def _zstd(raw: bytes, cap: int) -> _Unpacked | None:
    """By a stream that is read up to the cap: what a frame says about its own size is not believed."""
    machine = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    body = b""
    try:
        with machine.stream_reader(io.BytesIO(raw), read_size=16 * 1024) as stream:
            while len(body) <= cap and (chunk := stream.read(min(64 * 1024, cap + 1 - len(body)))):
                body += chunk
    except zstandard.ZstdError:
        return _Unpacked(body=body[:cap], cut=True, problem="The rest cannot be unpacked.") if body else None
    if len(body) > cap:
        return _Unpacked(body=body[:cap], cut=True, problem=_why_cut(cap, len(raw), cap))
    return _Unpacked(body=body)


def _why_cut(size_bytes: int, packed_bytes: int, cap: int) -> str:
    if size_bytes < cap:
        return "The packed data ends too early."
    if cap == packed_bytes * MOST_RATIO:
        return f"Unpacking stopped at {MOST_RATIO} times its size."
    return f"Unpacking stopped at {cap:,} bytes."


# JSON -------------------------------------------------------------------------------------------------------------

# A string that never ends takes the rest, so that no text makes this slower than linear.
_WORD = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_OPENS, _CLOSES = frozenset("{["), frozenset("}]")


def _json(raw: bytes) -> Decoded | None:
    """Indented word by word, so that numbers, doubled names and escapes stay as they were written."""
    if raw.lstrip()[:1] not in (b"{", b"[", b'"'):
        return None
    try:
        source = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    words = _WORD.findall(source)
    if _levels(words) > JSON_LEVELS:
        return Decoded(steps=("text",), body=raw, problem=f"Nested deeper than {JSON_LEVELS} levels: shown as it is.")
    try:
        json.loads(source, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    body, cut = _indented(words)
    return Decoded(steps=("JSON",), body=body.encode("utf-8", "surrogateescape"), cut=cut, hint=_size_hint(words))


def _levels(words: list[str]) -> int:
    level = deepest = 0
    for word in words:
        level += (word in _OPENS) - (word in _CLOSES)
        deepest = max(deepest, level)
    return deepest


def _indented(words: list[str]) -> tuple[str, bool]:
    out: list[str] = []
    level = size = 0
    before = ""
    for word in words:
        level -= word in _CLOSES
        piece = _lead(before, word, level) + word + (" " if word == ":" else "")
        level += word in _OPENS
        before = word
        out.append(piece)
        size += len(piece)
        if size > JSON_SHOWN:
            return "".join(out), True
    return "".join(out), False


def _lead(before: str, word: str, level: int) -> str:
    """A line break and the indent, where one belongs; an empty {} or [] stays on its line."""
    opened, closes = before in _OPENS, word in _CLOSES
    if (opened and closes) or not (opened or closes or before == ","):
        return ""
    return "\n" + "  " * min(level, 40)


def _size_hint(words: list[str]) -> str:
    """How many items or fields the outermost array or object has."""
    if words[0] not in _OPENS:
        return ""
    many = int(words[1] not in _CLOSES)
    level = 0
    for word in words:
        level += (word in _OPENS) - (word in _CLOSES)
        many += word == "," and level == 1
    return f"{many:,} {'item' if words[0] == '[' else 'field'}{'' if many == 1 else 's'}"


# Pickle: listed, never run ----------------------------------------------------------------------------------------


def _pickle(raw: bytes) -> Decoded | None:
    """A listing of the opcodes of protocol 2 and later, made by pickletools, which builds nothing."""
    if len(raw) < 3 or raw[0] != 0x80 or not 2 <= raw[1] <= 5:
        return None
    lines: list[str] = []
    names: list[str] = []
    strings: list[str] = []
    problem = ""
    count = 0
    try:
        for opcode, argument, at in pickletools.genops(io.BytesIO(raw[:SHOWN_BYTES])):
            count += 1
            if count > PICKLE_OPCODES:
                problem = f"The listing stops after {PICKLE_OPCODES} opcodes."
                break
            lines.append(f"{at:6d}  {opcode.name}{_argument(argument)}")
            _remember(opcode.name, argument, strings, names)
    except (ValueError, IndexError, KeyError, OverflowError, TypeError, struct.error) as error:
        problem = f"Not a whole pickle: {str(error)[:80]}."
    if count < 2:
        return None
    head = [f"builds {name}" for name in dict.fromkeys(names)]
    body = "\n".join([*head, *lines]).encode("utf-8", "surrogateescape")
    hint = f"{count:,} opcodes" if not problem else f"{count:,} opcodes and more"
    return Decoded(steps=("pickle, not run",), body=body, hint=hint, problem=problem)


def _argument(argument: Any) -> str:
    if argument is None:
        return ""
    if isinstance(argument, int) and argument.bit_length() > 256:
        return f" an integer of {argument.bit_length():,} bits"
    if isinstance(argument, str | bytes | bytearray):
        argument = argument[:120]
    return f" {argument!r}"[:160]


def _remember(opcode: str, argument: Any, strings: list[str], names: list[str]) -> None:
    """What the pickle would import: by name in GLOBAL, by the two last strings in STACK_GLOBAL."""
    if opcode == "GLOBAL":
        names.append(str(argument)[:160].replace(" ", "."))
    elif opcode == "STACK_GLOBAL" and len(strings) >= 2:
        names.append(f"{strings[-2]}.{strings[-1]}"[:160])
    elif isinstance(argument, str):
        strings[:] = [*strings[-1:], argument[:120]]


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

"""Packed bytes, unpacked by a stream that stops: at 1 MB, at 200 times the size, after two layers."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass

import zstandard

UNPACKED_BYTES = 1_000_000
RATIO_FREE_BYTES = 64 * 1024
MOST_RATIO = 200
MOST_LAYERS = 2
ZSTD_WINDOW_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    body: bytes
    cut: bool = False
    problem: str = ""


def unpacked(raw: bytes, most_bytes: int) -> tuple[Unpacked, tuple[str, ...]]:
    """At most two layers: a bomb in a bomb in a bomb stays one."""
    current = Unpacked(body=raw)
    names: list[str] = []
    for _ in range(MOST_LAYERS):
        found = _layer(current.body, most_bytes)
        if found is None or current.cut:
            break
        names.append(found[0])
        current = found[1]
    return current, tuple(names)


def _layer(raw: bytes, most_bytes: int) -> tuple[str, Unpacked] | None:
    cap = min(most_bytes, max(RATIO_FREE_BYTES, len(raw) * MOST_RATIO))
    if raw.startswith(b"\x1f\x8b\x08"):
        return _named("gzip", _inflated(raw, 31, cap))
    if raw.startswith(b"\x28\xb5\x2f\xfd"):
        return _named("zstd", _zstd(raw, cap))
    if len(raw) >= 8 and raw[0] & 0x0F == 8 and raw[0] >> 4 <= 7 and int.from_bytes(raw[:2], "big") % 31 == 0:
        return _named("zlib", _inflated(raw, 15, cap))
    return None


def _named(name: str, unpacked: Unpacked | None) -> tuple[str, Unpacked] | None:
    """Nothing came out: the first bytes only looked like it."""
    return (name, unpacked) if unpacked is not None and unpacked.body else None


def _inflated(raw: bytes, window_bits: int, cap: int) -> Unpacked | None:
    machine = zlib.decompressobj(window_bits)
    try:
        body = machine.decompress(raw, cap)
    except zlib.error:
        return None
    if machine.eof:
        return Unpacked(body=body)
    return Unpacked(body=body, cut=True, problem=_why_cut(len(body), len(raw), cap))


def _zstd(raw: bytes, cap: int) -> Unpacked | None:
    """By a stream that is read up to the cap: what a frame says about its own size is not believed."""
    machine = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    body = b""
    try:
        with machine.stream_reader(io.BytesIO(raw), read_size=16 * 1024) as stream:
            while len(body) <= cap and (chunk := stream.read(min(64 * 1024, cap + 1 - len(body)))):
                body += chunk
    except zstandard.ZstdError:
        return Unpacked(body=body[:cap], cut=True, problem="The rest cannot be unpacked.") if body else None
    if len(body) > cap:
        return Unpacked(body=body[:cap], cut=True, problem=_why_cut(cap, len(raw), cap))
    return Unpacked(body=body)


def _why_cut(size_bytes: int, packed_bytes: int, cap: int) -> str:
    if size_bytes < cap:
        return "The packed data ends too early."
    if cap == packed_bytes * MOST_RATIO:
        return f"Unpacking stopped at {MOST_RATIO} times its size."
    return f"Unpacking stopped at {cap:,} bytes."

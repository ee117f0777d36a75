r"""Redis' own pattern language over bytes, matched here so that every name that was looked at is counted.

SCAN ... MATCH hides how many names it passed over; without that number no share and no bound can be told. The server's rules
are kept to the letter (classes, ranges in either order, escapes, a class that never ends), except that matching takes linear
time: what stands between two stars has a fixed length, so the leftmost fit of each piece is always good enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_PATTERN_BYTES = 128
MOST_STARS = 6


class PatternRefused(ValueError):
    """The pattern costs more than it may; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A run between two stars: a compiled expression that always fits exactly `length` bytes."""

    length: int
    expression: re.Pattern[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glob:
    """`literal` is the name itself where the pattern can fit only one; else `pieces` with a star between each two.

    `prefix` is set where the pattern is only that and a star: most are, and a beginning is compared ten times as fast.
    """

    source: bytes
    literal: bytes | None
    pieces: tuple[Piece, ...]
    prefix: bytes | None = None

    @property
    def everything(self) -> bool:
        return self.literal is None and not any(piece.length for piece in self.pieces) and len(self.pieces) > 1

    def matches(self, name: bytes) -> bool:
        if self.prefix is not None:
            return name.startswith(self.prefix)
        if self.literal is not None:
            return name == self.literal
        first, last = self.pieces[0], self.pieces[-1]
        if len(self.pieces) == 1:
            return len(name) == first.length and first.expression.match(name) is not None
        end = len(name) - last.length
        if end < first.length or not first.expression.match(name) or not last.expression.match(name, end):
            return False
        return self._between(name, first.length, end)

    def _between(self, name: bytes, begin: int, end: int) -> bool:
        for piece in self.pieces[1:-1]:
            found = piece.expression.search(name, begin, end)
            if found is None:
                return False
            begin = found.end()
        return True


def compiled(pattern: bytes, *, most_bytes: int = MOST_PATTERN_BYTES, most_stars: int = MOST_STARS) -> Glob:
    """Errors: PatternRefused over 128 bytes or 6 stars, unless more is allowed."""
    if len(pattern) > most_bytes:
        raise PatternRefused(f"A pattern may be {most_bytes} bytes long; this one has {len(pattern):,}.")
    parts = list(_parts(pattern))
    stars = parts.count(None)
    if stars > most_stars:
        raise PatternRefused(f"A pattern may hold {most_stars} stars; this one has {stars}.")
    singles = [next(iter(fits)) for fits, plain in (part for part in parts if part) if plain]
    literal = bytes(singles) if len(singles) == len(parts) else None
    is_prefix = stars == 1 and parts[-1] is None and len(singles) == len(parts) - 1
    prefix = bytes(singles) if is_prefix else None
    return Glob(source=pattern, literal=literal, pieces=tuple(_pieces(parts)), prefix=prefix)


def escaped(name: bytes) -> bytes:
    """A name as the pattern that fits only it."""
    return re.sub(rb"([*?\[\]\\^-])", rb"\\\1", name)


def example(pattern: bytes) -> bytes:
    """A name that a pattern fits, with letters where it leaves a choice: `cart:*` gives cart:x. None fits an empty class."""
    return b"".join(
        b"x" if part is None else bytes([_choice(part[0])]) for part in _parts(pattern) if part is None or part[0]
    )


def _choice(fits: frozenset[int]) -> int:
    readable = [byte for byte in fits if chr(byte).isalnum() and byte < 128]
    return ord("x") if ord("x") in fits else min(readable or fits)


# One position of a pattern: the bytes that fit there, and whether it was written as a plain byte. None is a star.
_Part = tuple[frozenset[int], bool] | None
_ANY = frozenset(range(256))


def _parts(pattern: bytes) -> Iterator[_Part]:
    at = 0
    while at < len(pattern):
        byte = pattern[at]
        if byte == ord("*"):
            yield None
        elif byte == ord("?"):
            yield _ANY, False
        elif byte == ord("["):
            fits, at = _class(pattern, at + 1)
            yield fits, False
        else:
            at += byte == ord("\\") and at + 1 < len(pattern)
            yield frozenset({pattern[at]}), True
        at += 1


def _class(pattern: bytes, at: int) -> tuple[frozenset[int], int]:
    """The bytes of a class that begins at `at`, and where its last byte is: the bracket, or the pattern's end."""
    negated = pattern[at : at + 1] == b"^"
    at += negated
    fits: set[int] = set()
    while at < len(pattern) and (pattern[at] != ord("]")):
        if pattern[at] == ord("\\") and at + 1 < len(pattern):
            at += 1
            fits.add(pattern[at])
        elif pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern):
            low, high = sorted((pattern[at], pattern[at + 2]))
            fits.update(range(low, high + 1))
            at += 2
        else:
            fits.add(pattern[at])
        at += 1
    return (_ANY - fits if negated else frozenset(fits)), at


def _pieces(parts: list[_Part]) -> Iterator[Piece]:
    run: list[frozenset[int]] = []
    for part in [*parts, None]:
        if part is not None:
            run.append(part[0])
            continue
        yield Piece(length=len(run), expression=re.compile(b"".join(map(_expression, run)), re.DOTALL))
        run = []


def _expression(fits: frozenset[int]) -> bytes:
    if fits == _ANY:
        return b"."
    if not fits:
        return b"(?!)"
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(fits)) + b"]"

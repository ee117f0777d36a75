"""JSON indented word by word: numbers, doubled names and escapes stay as they were written, and depth costs no stack."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

JSON_LEVELS = 200
JSON_SHOWN = 256 * 1024


class TooDeep(ValueError):
    """Nested deeper than is worth laying out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """`hint` is how many items or fields the outermost holds; `cut` when only the first 256 KiB are laid out."""

    body: str
    cut: bool
    hint: str


# A string that never ends takes the rest, so that no text makes this slower than linear.
_WORD = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_OPENS, _CLOSES = frozenset("{["), frozenset("}]")


def layout(raw: bytes) -> Layout | None:
    """None for what is not an array, an object or a string. Errors: TooDeep."""
    if raw.lstrip()[:1] not in (b"{", b"[", b'"'):
        return None
    try:
        source = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    words = _WORD.findall(source)
    if _levels(words) > JSON_LEVELS:
        raise TooDeep(f"Nested deeper than {JSON_LEVELS} levels: shown as it is.")
    try:
        json.loads(source, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    body, cut = _indented(words)
    return Layout(body=body, cut=cut, hint=_size_hint(words))


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

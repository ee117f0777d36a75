"""Bytes from a server as text that a person can trust: what cannot be seen, or would reorder the line, is written as an escape."""

from __future__ import annotations

import base64
import binascii
import unicodedata

from apps.engine.errors import Gone

# Control, format (bidi overrides, zero width), surrogates, private use, unassigned, line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def pieces(raw: bytes, *, most: int = 512) -> list[tuple[str, bool]]:
    r"""Runs of text, each with whether it is an escape: b"a\xff" -> [("a", False), ("\\xff", True)].

    At most `most` bytes are looked at, so that a name of a megabyte costs no more than a short one.
    """
    decoded = raw[:most].decode("utf-8", "surrogateescape")
    if decoded.isprintable():  # nearly every name: nothing in it is hidden
        return [(decoded, False)] if decoded else []
    runs: list[tuple[str, bool]] = []
    for character in decoded:
        shown, escaped = _shown(character)
        if runs and runs[-1][1] == escaped:
            runs[-1] = (runs[-1][0] + shown, escaped)
        else:
            runs.append((shown, escaped))
    return runs


def _shown(character: str) -> tuple[str, bool]:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}", True
    if unicodedata.category(character) not in _HIDDEN:
        return character, False
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    return named or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    ), True


def plain(raw: bytes, *, most: int = 512) -> str:
    """The same as one string, with an ellipsis where it was cut."""
    return "".join(text for text, _ in pieces(raw, most=most)) + ("…" if len(raw) > most else "")


def storable(words: str) -> str:
    r"""Text as every database takes it: NUL and halves of characters as escapes."""
    return words.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def ref(raw: bytes) -> str:
    """Bytes as a part of a URL: base64url without padding, so that any key name survives the journey."""
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def unref(text: str) -> bytes:
    """The bytes behind a ref. Errors: Gone for text that no ref looks like."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Gone("This address names nothing; it was cut or changed.") from error

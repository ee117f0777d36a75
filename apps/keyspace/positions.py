"""Where a look through the keyspace stands: a cursor a node, and what was counted so far. It lives in the URL, not in memory."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.engine.errors import Gone

START = "0"
_MOST_TEXT = 2048
_MOST_CURSOR = 2**64
_MOST_COUNT = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """`cursors` maps a node's address to its SCAN cursor: decimal text of 64 bits, which no float may touch."""

    cursors: Mapping[str, str] = field(default_factory=dict)
    looked_count: int = 0
    found_count: int = 0

    def cursor(self, node: str) -> str:
        return self.cursors.get(node, START)

    def text(self) -> str:
        """For a URL: base64url of a short JSON list."""
        raw = json.dumps([dict(self.cursors), self.looked_count, self.found_count], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def position(text: str) -> Position:
    """The position behind a text; the beginning for an empty one. Errors: Gone when it was cut or changed."""
    if not text:
        return Position()
    try:
        if len(text) > _MOST_TEXT:
            raise ValueError("too long")
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursors, looked_count, found_count = json.loads(raw)
        return Position(
            cursors={str(node): _cursor(cursor) for node, cursor in dict(cursors).items()},
            looked_count=_counted(looked_count),
            found_count=_counted(found_count),
        )
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise Gone("The place to look on from was cut or changed.", way_out="Begin again.") from error


def _cursor(cursor: object) -> str:
    if not isinstance(cursor, str) or not cursor.isascii() or not cursor.isdigit() or int(cursor) >= _MOST_CURSOR:
        raise ValueError("not a cursor")
    return cursor


def _counted(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < _MOST_COUNT:
        raise ValueError("not a count")
    return number

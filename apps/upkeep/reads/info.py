"""The reply of INFO as fields that may be missing: old, new and forked servers each leave some out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VALUE_MOST = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """Field names and texts as the server gave them. A field that is not there, or is no number, is None."""

    fields: Mapping[str, str]

    def text(self, name: str) -> str | None:
        return self.fields.get(name) or None

    def number(self, name: str) -> int | None:
        ratio = self.ratio(name)
        return None if ratio is None else int(ratio)

    def ratio(self, name: str) -> float | None:
        try:
            value = float(self.fields.get(name, ""))
        except ValueError:
            return None
        return value if value == value and abs(value) != float("inf") else None

    def flag(self, name: str) -> bool | None:
        value = self.number(name)
        return None if value is None else bool(value)

    def pairs(self, name: str) -> dict[str, str]:
        """A field of fields: "keys=3,expires=1" -> {"keys": "3", "expires": "1"}."""
        parts = (part.partition("=") for part in self.fields.get(name, "").split(","))
        return {key: value for key, equals, value in parts if equals}


def parse_info(reply: bytes) -> Info:
    """Shape: `name:value` lines; headings, empty lines and what has no colon are left out."""
    fields: dict[str, str] = {}
    for line in reply.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            fields[name.strip()] = value.strip()[:VALUE_MOST]
    return Info(fields=fields)

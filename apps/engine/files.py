"""SQL in files, one statement each, with variants by server version: `sessions.sql`, `sessions.pg14.sql`.

A file begins with a header of `--` lines: what it answers, from which version, which rights, parameters, columns, cost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

VARIANT = re.compile(r"^(?P<name>[a-z_]+)(?:\.pg(?P<major>\d+))?\.sql$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One SQL file. `major` is the oldest server it is written for (0: any that is supported)."""

    name: str
    major: int
    text: str
    path: Path


@cache
def statements(folder: Path) -> dict[str, tuple[Statement, ...]]:
    """Every statement of a folder by name, newest variant first. Read once a process."""
    found: dict[str, list[Statement]] = {}
    for path in sorted(folder.glob("*.sql")):
        match = VARIANT.match(path.name)
        if match is None:
            raise ValueError(f"{path} is not named like name.sql or name.pg17.sql")
        text = path.read_text(encoding="utf-8")
        if not text.startswith("--"):
            raise ValueError(f"{path} has no header")
        major = int(match["major"] or 0)
        found.setdefault(match["name"], []).append(Statement(name=match["name"], major=major, text=text, path=path))
    return {name: tuple(sorted(some, key=lambda s: -s.major)) for name, some in found.items()}


def sql_text(folder: Path, name: str, *, major: int) -> str:
    """The text of the newest variant that a server of this major version understands. Errors: KeyError for an unknown name."""
    return next(s.text for s in statements(folder)[name] if s.major <= major)

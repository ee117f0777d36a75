"""SQL in files, one statement each, with variants by server version: `sessions.sql`, `sessions.pg14.sql`. Lua in files, one script each.

A file begins with a header of `--` lines. SQL: what it answers, from which version, which rights, parameters, columns, cost.
Lua: what it does, which keys and arguments, what it answers, what bounds it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SCRIPT = re.compile(r"^(?P<name>[a-z_]+)\.lua$")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One Lua file. `sha` is the name by which a server knows it once it was loaded."""

    name: str
    text: str
    sha: str
    path: Path


@cache
def scripts(folder: Path) -> dict[str, Script]:
    """Every Lua script of a folder by name. Read once a process."""
    found: dict[str, Script] = {}
    for path in sorted(folder.glob("*.lua")):
        match = SCRIPT.match(path.name)
        if match is None:
            raise ValueError(f"{path} is not named like name.lua")
        text = path.read_text(encoding="utf-8")
        if not text.startswith("--"):
            raise ValueError(f"{path} has no header")
        sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        found[match["name"]] = Script(name=match["name"], text=text, sha=sha, path=path)
    return found


def lua_script(folder: Path, name: str) -> Script:
    """Errors: KeyError for an unknown name."""
    return scripts(folder)[name]

"""Commands of Redis as its ACL rules name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Argument: TypeAlias = bytes | str | int | float
Command: TypeAlias = Sequence[Argument]

CONTAINERS = frozenset(
    {
        "ACL",
        "CLIENT",
        "CLUSTER",
        "COMMAND",
        "CONFIG",
        "LATENCY",
        "MEMORY",
        "MODULE",
        "OBJECT",
        "PUBSUB",
        "SCRIPT",
        "SLOWLOG",
        "XINFO",
    }
)


def shown(command: Command) -> str:
    """The command as an ACL rule names it: `config|get`, `scan`."""
    words = [w.decode("ascii", "replace") if isinstance(w, bytes) else str(w) for w in command[:2]]
    if not words:
        return ""
    return "|".join(words).lower() if words[0].upper() in CONTAINERS and len(words) > 1 else words[0].lower()


def rule_of(command: Command) -> str:
    """The ACL rule that allows a command: `+config|get`, `+scan`."""
    return f"+{shown(command)}"

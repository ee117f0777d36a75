"""What rules allow, worked out as the server does it, from the categories of one node. Nothing is written to find out.

A plan may not make a user to try its rules on, so it computes; the run tries them on a user that is off, and stops where the
server says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apps.acl.grammar import MOST_PATTERN_BYTES, Rules
from apps.engine.connections.redis import RedisNode
from apps.engine.glob import Glob, compiled

SUBCOMMANDS_SINCE = (7, 0)
# The server lets everybody run these, whatever the rules say.
ALWAYS = frozenset({b"auth", b"hello", b"quit", b"reset"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command with its arguments, and what of them is a key or a channel. `name` is the command as ACL CAT lists it.

    A channel comes with whether it is a pattern, a key with whether it is read and written.
    """

    name: bytes
    argv: tuple[bytes, ...]
    keys: tuple[tuple[bytes, bool, bool], ...] = ()
    channels: tuple[tuple[bytes, bool], ...] = ()
    seen: str = ""

    @property
    def shown(self) -> bytes:
        """The command and its first key or channel."""
        words = self.name.upper().replace(b"|", b" ")
        about = [key for key, _, _ in self.keys[:1]] or [channel for channel, _ in self.channels[:1]]
        return b" ".join([words, *about])


@dataclass(frozen=True, kw_only=True)
class Commands:
    """The commands of one node by category, subcommands as `config|get` from 7.0 on."""

    version: tuple[int, int]
    categories: dict[bytes, frozenset[bytes]]

    @cached_property
    def names(self) -> frozenset[bytes]:
        return frozenset().union(*self.categories.values())

    @cached_property
    def _children(self) -> dict[bytes, frozenset[bytes]]:
        found: dict[bytes, set[bytes]] = {}
        for name in self.names:
            parent, bar, _ = name.partition(b"|")
            if bar:
                found.setdefault(parent, set()).add(name)
        return {parent: frozenset(some) for parent, some in found.items()}

    def children(self, name: bytes) -> frozenset[bytes]:
        return self._children.get(name, frozenset())

    def problem(self, rules: Rules, known: Iterable[bytes] = ()) -> bytes:
        """The first word that names no command or category of this node; b"" where all do. `known` are commands of modules."""
        for words in rules.scopes:
            for word in words:
                if word[:1] in (b"+", b"-") and not self._is_known(word[1:], frozenset(known)):
                    return word
        return b""

    def _is_known(self, what: bytes, known: frozenset[bytes]) -> bool:
        if what.startswith(b"@"):
            return what == b"@all" or what[1:] in self.categories
        parent, bar, _ = what.partition(b"|")
        there = parent in self.names or parent in known
        if not bar or not there:
            return there
        return what in self.names or not self.children(parent)


def commands_of(node: RedisNode, *, version: tuple[int, int]) -> Commands:
    """Cost: two round trips, some kB. Errors: NotPermitted without +acl|cat. Source: ACL CAT, of each category."""
    categories = node.command("ACL", "CAT")
    listed: list[Any] = list(node.pipeline([("ACL", "CAT", category) for category in categories], raising=True))
    return Commands(
        version=version,
        categories={
            category: frozenset(name.lower() for name in names)
            for category, names in zip(categories, listed, strict=True)
        },
    )


def allows(rules: Rules, call: Call, commands: Commands) -> bool:
    """Whether the user itself, or one of its selectors alone, allows all of a call."""
    return any(Ability.of(words, commands).allows(call) for words in rules.scopes)


class Ability:
    """One scope of rules, carried out from left to right.

    `_default` is what holds for commands that no word named since the last +@all or -@all; `_first` are first arguments that are
    allowed of a command that is not.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._default = False
        self._named: dict[bytes, bool] = {}
        self._first: dict[bytes, set[bytes]] = {}
        self._keys: list[tuple[Glob, bool, bool]] = []
        self._channels: list[tuple[bytes, Glob]] = []

    @classmethod
    def of(cls, words: Sequence[bytes], commands: Commands) -> Ability:
        made = cls(commands)
        for word in words:
            made._take(word)
        return made

    def _take(self, word: bytes) -> None:
        alias = {
            b"allcommands": b"+@all",
            b"nocommands": b"-@all",
            b"allkeys": b"~*",
            b"allchannels": b"&*",
        }.get(word, word)
        sign, what = alias[:1], alias[1:]
        if sign in (b"+", b"-"):
            self._take_command(what, allowed=sign == b"+")
        elif sign == b"~":
            self._keys.append((_glob(what), True, True))
        elif sign == b"%":
            modes, _, pattern = what.partition(b"~")
            self._keys.append((_glob(pattern), b"R" in modes.upper(), b"W" in modes.upper()))
        elif sign == b"&":
            self._channels.append((what, _glob(what)))
        elif word == b"resetkeys":
            self._keys = []
        elif word == b"resetchannels":
            self._channels = []

    def _take_command(self, what: bytes, *, allowed: bool) -> None:
        if what == b"@all":
            self._default, self._named, self._first = allowed, {}, {}
        elif what.startswith(b"@"):
            for name in self._commands.categories.get(what[1:], frozenset()):
                self._set(name, allowed)
        elif b"|" in what and what not in self._commands.names:
            parent, _, first = what.partition(b"|")
            self._first.setdefault(parent, set()).add(first.lower())
        else:
            self._set(what, allowed)

    def _set(self, name: bytes, allowed: bool) -> None:
        """With its subcommands; first arguments that were allowed of it are forgotten."""
        for each in (name, *self._commands.children(name)):
            self._named[each] = allowed
        self._first.pop(name, None)

    def runs(self, name: bytes, argv: Sequence[bytes]) -> bool:
        """Whether the command itself is allowed."""
        if name in ALWAYS or self._named.get(name, self._default):
            return True
        first = argv[1].lower() if len(argv) > 1 else None
        return first is not None and first in self._first.get(name, ())

    def allows(self, call: Call) -> bool:
        return (
            self.runs(call.name, call.argv)
            and all(self._opens(*key) for key in call.keys)
            and all(self._joins(*channel) for channel in call.channels)
        )

    def _opens(self, key: bytes, reads: bool, writes: bool) -> bool:
        """One pattern has to allow all that the command does to the key."""
        return any(
            (may_read or not reads) and (may_write or not writes) and glob.matches(key)
            for glob, may_read, may_write in self._keys
        )

    def _joins(self, channel: bytes, is_pattern: bool) -> bool:
        """A pattern that is subscribed to has to stand in the rules as it is, but for the one that allows every channel."""
        return any(
            source == b"*" or (source == channel if is_pattern else glob.matches(channel))
            for source, glob in self._channels
        )


def _glob(pattern: bytes) -> Glob:
    return compiled(pattern, most_bytes=MOST_PATTERN_BYTES, most_stars=MOST_PATTERN_BYTES)

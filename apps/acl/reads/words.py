"""Rules in sentences: "may read and write keys beginning cart:; every command but the dangerous ones"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from apps.acl.reads.rules import KeyRule, Scope, User

CATEGORIES = {
    "admin": "administration",
    "bitmap": "bitmaps",
    "blocking": "commands that wait",
    "connection": "the connection itself",
    "dangerous": "the dangerous ones",
    "fast": "the fast ones",
    "geo": "places",
    "hash": "hashes",
    "hyperloglog": "HyperLogLogs",
    "keyspace": "keys as a whole (expire, rename, scan)",
    "list": "lists",
    "pubsub": "publish and subscribe",
    "read": "all that reads",
    "scripting": "scripts and functions",
    "set": "sets",
    "slow": "the slow ones",
    "sortedset": "sorted sets",
    "stream": "streams",
    "string": "strings",
    "transaction": "transactions",
    "write": "all that writes",
    "json": "JSON",
    "search": "search",
    "tdigest": "t-digests",
    "cms": "count-min sketches",
    "bloom": "Bloom filters",
    "cuckoo": "cuckoo filters",
    "topk": "top-k lists",
    "timeseries": "time series",
}
_GLOB = re.compile(rb"[*?\[\]\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a sentence: our words, or (`name`) bytes of the server that are shown as such."""

    text: str = ""
    name: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """`about` is keys, commands, channels, sign-in, selector or databases, and chooses the sign before it."""

    about: str
    parts: tuple[Part, ...]
    signal: str = ""

    @property
    def plain(self) -> str:
        """The sentence as text, names as they are: for tests and titles."""
        return "".join(p.text if p.name is None else p.name.decode("utf-8", "backslashreplace") for p in self.parts)


def _sentence(about: str, *pieces: str | bytes, signal: str = "") -> Sentence:
    parts = tuple(Part(name=piece) if isinstance(piece, bytes) else Part(text=piece) for piece in pieces)
    return Sentence(about=about, parts=parts, signal=signal)


def describe(user: User) -> tuple[Sentence, ...]:
    """Everything that a person has to know of a user, one thing a sentence."""
    sentences = [_sign_in(user), *describe_scope(user.scope)]
    for selector in user.selectors:
        sentences.append(_sentence("selector", "Besides, where all of this holds at once:"))
        sentences += describe_scope(selector)
    return tuple(sentences)


def _sign_in(user: User) -> Sentence:
    if not user.is_on:
        return _sentence("sign-in", "Switched off: nobody can sign in as it; sessions that were open stay.")
    if user.needs_no_password:
        return _sentence("sign-in", "No password: whoever reaches the port may be this user.", signal="warn")
    if not user.hashes:
        return _sentence("sign-in", "It has no password, and none would be taken: nobody can sign in.")
    count = len(user.hashes)
    return _sentence("sign-in", "One password." if count == 1 else f"{count} passwords; each of them works.")


def describe_scope(scope: Scope) -> tuple[Sentence, ...]:
    found = [_of_keys(scope.keys), _of_commands(scope.commands)]
    if scope.channels is not None:
        found.append(_of_channels(scope.channels))
    if scope.databases:
        found.append(_sentence("databases", "Only in database ", *_listed(scope.databases), "."))
    return tuple(found)


# -- keys and channels -------------------------------------------------------------------------------------------------


def _of_keys(rules: Sequence[KeyRule]) -> Sentence:
    if not rules:
        return _sentence("keys", "No keys.")
    pieces: list[str | bytes] = []
    for (reads, writes), group in groupby(sorted(rules, key=_mode, reverse=True), key=_mode):
        verb = "Reads and writes " if reads and writes else "Only reads " if reads else "Only writes "
        patterns = tuple(rule.pattern for rule in group)
        pieces += ["; " if pieces else "", verb.lower() if pieces else verb, *_patterns(patterns, "key")]
    return _sentence("keys", *pieces, ".")


def _mode(rule: KeyRule) -> tuple[bool, bool]:
    return rule.reads, rule.writes


def _of_channels(channels: Sequence[bytes]) -> Sentence:
    if not channels:
        return _sentence("channels", "No channels.")
    return _sentence("channels", "Publishes and subscribes to ", *_patterns(channels, "channel"), ".")


def _patterns(patterns: Sequence[bytes], noun: str) -> Iterator[str | bytes]:
    """`*` is every key; `cart:*` is keys beginning cart:; no wildcard is one key; anything else is keys like it."""
    if b"*" in patterns:
        yield f"every {noun}"
        return
    prefixes = tuple(p[:-1] for p in patterns if p.endswith(b"*") and not _GLOB.search(p[:-1]))
    exact = tuple(p for p in patterns if not _GLOB.search(p))
    likes = tuple(p for p in patterns if p not in exact and p[:-1] not in prefixes)
    said = False
    for lead, names in ((f"{noun}s beginning ", prefixes), (f"the {noun} ", exact), (f"{noun}s like ", likes)):
        if names:
            yield (", " if said else "") + lead
            yield from _listed(names)
            said = True


def _listed(names: Sequence[bytes]) -> Iterator[str | bytes]:
    for index, each in enumerate(names):
        if index:
            yield " and " if index == len(names) - 1 else ", "
        yield each


# -- commands ----------------------------------------------------------------------------------------------------------


def _of_commands(words: Sequence[bytes]) -> Sentence:
    """The base (every command, or none), then runs of what is allowed and denied after it, in the order that counts."""
    begins_full = bool(words) and words[0] == b"+@all"
    rest = words[1:] if words and words[0] in (b"+@all", b"-@all") else words
    pieces: list[str | bytes] = ["Runs every command" if begins_full else "Runs no command"]
    for sign, group in groupby(rest, key=lambda word: word[:1]):
        is_allowed = sign == b"+"
        if len(pieces) == 1 and is_allowed != begins_full:
            pieces.append(" but ")
        else:
            pieces.append("; then also " if is_allowed else "; of these not ")
        pieces += _command_names(tuple(word[1:] for word in group))
    return _sentence("commands", *pieces, ".")


def _command_names(names: Sequence[bytes]) -> Iterator[str | bytes]:
    for index, each in enumerate(names):
        if index:
            yield " and " if index == len(names) - 1 else ", "
        if each.startswith(b"@"):
            words = CATEGORIES.get(each[1:].decode("ascii", "replace").lower())
            if words is None:
                yield "the category "
                yield each
            else:
                yield words
        else:
            yield each.upper().replace(b"|", b" ")


def in_short(user: User) -> Sentence:
    """One line for a list: patterns of keys as they are written, and how far its commands go."""
    if not user.is_on:
        return _sentence("keys", "off")
    if user.scope.is_unlimited:
        return _sentence("keys", "everything")
    keys = ("every key",) if user.scope.allows_every_key else tuple(_listed([rule.pattern for rule in user.scope.keys]))
    return _sentence("keys", *(keys or ("no keys",)), f"; {_commands_in_short(user.scope)}{_selectors_in_short(user)}")


def _commands_in_short(scope: Scope) -> str:
    if scope.allows_every_command:
        return "every command"
    if not scope.commands or scope.commands == (b"-@all",):
        return "no command"
    return "every command but some" if scope.commands[0] == b"+@all" else "some commands"


def _selectors_in_short(user: User) -> str:
    return f"; {len(user.selectors)} selectors" if len(user.selectors) > 1 else "; a selector" if user.selectors else ""


def trouble(user: User) -> tuple[str, str]:
    """(signal, reason): how much a user asks for attention, "ok" with no reason where it does not."""
    if not user.is_on:
        return "skip", "off"
    if user.is_open and user.scope.is_unlimited:
        return "crit", "everything, without a password"
    if user.is_open:
        return "warn", "no password"
    if not user.hashes:
        return "info", "no password was set"
    if user.scope.is_unlimited:
        return "info", "may do everything"
    return "ok", ""

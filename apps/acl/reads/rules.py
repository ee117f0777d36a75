"""The rules of one Redis or Valkey user, parsed from a line of ACL LIST or from the reply of ACL GETUSER (6.0 and later)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

HASH_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule:
    """A pattern of keys, and whether it allows reading, writing, or both."""

    pattern: bytes
    reads: bool = True
    writes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the user itself, or one of its selectors, allows. `channels` is None where the version knows none (6.0)."""

    commands: tuple[bytes, ...] = ()
    keys: tuple[KeyRule, ...] = ()
    channels: tuple[bytes, ...] | None = ()
    databases: tuple[bytes, ...] = ()

    @property
    def is_unlimited(self) -> bool:
        return self.allows_every_command and self.allows_every_key

    @property
    def allows_every_command(self) -> bool:
        return bool(self.commands) and self.commands[-1] == b"+@all"

    @property
    def allows_every_key(self) -> bool:
        return any(rule.pattern == b"*" and rule.reads and rule.writes for rule in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user. `hashes` hold the first six hex digits of each password's hash; `fingerprint` stands for the whole rule."""

    name: bytes
    is_on: bool = False
    needs_no_password: bool = False
    hashes: tuple[str, ...] = ()
    scope: Scope = field(default_factory=Scope)
    selectors: tuple[Scope, ...] = ()
    others: tuple[bytes, ...] = ()
    fingerprint: str = field(default="", repr=False, compare=False)

    @property
    def is_open(self) -> bool:
        """Anybody who reaches the port may be this user."""
        return self.is_on and self.needs_no_password


def parse_line(line: bytes) -> User:
    """A line of ACL LIST: `user NAME on #hash ~pattern &channel +command (selector)`."""
    words = line.split(b" ")
    name = words[1] if len(words) > 1 and words[0] == b"user" else b""
    root, selectors = split_selectors([word for word in words[2:] if word])
    user = _with_words(User(name=name), root)
    return replace(
        user,
        selectors=tuple(_scope(selector, channels_known=True) for selector in selectors),
        fingerprint=hashlib.sha256(line).hexdigest(),
    )


def user_of(name: bytes, words: Sequence[bytes], selectors: Sequence[Sequence[bytes]], *, knows_channels: bool) -> User:
    """The user that these words make, its state and passwords among them: as a server would show it."""
    user = _with_words(User(name=name), words)
    scope = (
        user.scope
        if knows_channels and user.scope.channels is not None
        else _scope(words, channels_known=knows_channels)
    )
    made = tuple(_scope(selector, channels_known=True) for selector in selectors)
    return replace(user, scope=scope, selectors=made)


def split_selectors(words: Sequence[bytes]) -> tuple[list[bytes], list[list[bytes]]]:
    """The words of the user itself, and those of each selector "(~pattern ... +command)".

    Patterns may hold parentheses, so only a command closes a selector: the server writes its commands last.
    """
    root: list[bytes] = []
    selectors: list[list[bytes]] = []
    into = root
    for word in words:
        if into is root and word.startswith(b"("):
            into, word = [], word[1:]
            selectors.append(into)
        closes = into is not root and word[:1] in (b"+", b"-") and word.endswith(b")")
        into.append(word[:-1] if closes else word)
        into = root if closes else into
    return root, selectors


def _with_words(user: User, words: Sequence[bytes]) -> User:
    flags = set(words)
    hashes = tuple(word[1 : 1 + HASH_SHOWN].decode("ascii", "replace") for word in words if word.startswith(b"#"))
    known = (b"on", b"off", b"nopass", b"sanitize-payload")
    others = tuple(w for w in words if w not in known and w[:1] not in b"#+-~&%" and not _is_scope_word(w))
    return replace(
        user,
        is_on=b"on" in flags,
        needs_no_password=b"nopass" in flags,
        hashes=hashes,
        scope=_scope(words, channels_known=_knows_channels(words)),
        others=others,
    )


def _is_scope_word(word: bytes) -> bool:
    named = (
        b"allkeys",
        b"resetkeys",
        b"allchannels",
        b"resetchannels",
        b"allcommands",
        b"nocommands",
        b"alldbs",
        b"resetdbs",
    )
    return word in named or word.startswith(b"db=")


def _knows_channels(words: Sequence[bytes]) -> bool:
    """6.0 says nothing of channels: neither a pattern nor `resetchannels`."""
    return any(word.startswith(b"&") or word in (b"resetchannels", b"allchannels") for word in words)


def _scope(words: Sequence[bytes], *, channels_known: bool) -> Scope:
    return Scope(
        commands=tuple(_commands(words)),
        keys=tuple(_keys(words)),
        channels=tuple(_channels(words)) if channels_known else None,
        databases=tuple(part for word in words if word.startswith(b"db=") for part in word[3:].split(b",")),
    )


def _commands(words: Sequence[bytes]) -> Iterator[bytes]:
    """In their order; whatever stands before +@all or -@all has no effect any more."""
    found: list[bytes] = []
    for word in words:
        word = {b"allcommands": b"+@all", b"nocommands": b"-@all"}.get(word, word)
        if word in (b"+@all", b"-@all"):
            found = [word]
        elif word[:1] in (b"+", b"-"):
            found.append(word)
    yield from found


def _keys(words: Sequence[bytes]) -> Iterator[KeyRule]:
    found: list[KeyRule] = []
    for word in words:
        if word == b"resetkeys":
            found = []
        elif word == b"allkeys":
            found.append(KeyRule(pattern=b"*"))
        elif word.startswith(b"~"):
            found.append(KeyRule(pattern=word[1:]))
        elif word.startswith(b"%") and b"~" in word:
            modes, _, pattern = word[1:].partition(b"~")
            found.append(KeyRule(pattern=pattern, reads=b"R" in modes.upper(), writes=b"W" in modes.upper()))
    yield from found


def _channels(words: Sequence[bytes]) -> Iterator[bytes]:
    found: list[bytes] = []
    for word in words:
        if word == b"resetchannels":
            found = []
        elif word == b"allchannels":
            found.append(b"*")
        elif word.startswith(b"&"):
            found.append(word[1:])
    yield from found


# -- ACL GETUSER -------------------------------------------------------------------------------------------------------


def parse_getuser(name: bytes, reply: Sequence[Any]) -> User:
    """The reply of ACL GETUSER as a flat list. Keys and channels are lists before 7.0 and one string from then on."""
    parts = dict(zip(reply[::2], reply[1::2], strict=False))
    flags = set(parts.get(b"flags") or ())
    hashes = tuple(bytes(h)[:HASH_SHOWN].decode("ascii", "replace") for h in parts.get(b"passwords") or ())
    return User(
        name=name,
        is_on=b"on" in flags,
        needs_no_password=b"nopass" in flags,
        hashes=hashes,
        scope=_scope_of(parts),
        selectors=tuple(_scope_of(dict(zip(s[::2], s[1::2], strict=False))) for s in parts.get(b"selectors") or ()),
        others=tuple(sorted(flags - _KNOWN_FLAGS)),
    )


_KNOWN_FLAGS = {b"on", b"off", b"nopass", b"allkeys", b"allcommands", b"allchannels", b"sanitize-payload", b"alldbs"}


def _scope_of(parts: dict[bytes, Any]) -> Scope:
    channels = parts.get(b"channels")
    return Scope(
        commands=tuple(_commands((parts.get(b"commands") or b"").split())),
        keys=tuple(_keys(_prefixed(parts.get(b"keys"), b"~"))),
        channels=None if channels is None else tuple(_channels(_prefixed(channels, b"&"))),
        databases=tuple(_listed(parts.get(b"databases"))),
    )


def _listed(value: Any) -> list[bytes]:
    """A list, or the words of a string."""
    if isinstance(value, bytes):
        return value.replace(b",", b" ").split()
    return [part for part in value or () if isinstance(part, bytes)]


def _prefixed(value: Any, prefix: bytes) -> list[bytes]:
    """6.x lists bare patterns; later versions give one string of words that carry their prefix."""
    if isinstance(value, bytes):
        return value.split()
    return [prefix + part for part in value or () if isinstance(part, bytes)]


def rule_words(user: User) -> tuple[bytes, ...]:
    """The rule as ACL SETUSER would take it, every hash cut."""
    state = [b"on" if user.is_on else b"off", *([b"nopass"] if user.needs_no_password else [])]
    hashes = [b"#" + h.encode() + "…".encode() for h in user.hashes]
    selectors = [b"(" + b" ".join(scope_words(scope)) + b")" for scope in user.selectors]
    return (*state, *hashes, *user.others, *scope_words(user.scope), *selectors)


def scope_words(scope: Scope) -> list[bytes]:
    keys = [_key_word(rule) for rule in scope.keys]
    channels = [] if scope.channels is None else [b"&" + c for c in scope.channels] or [b"resetchannels"]
    databases = [b"db=" + b",".join(scope.databases)] if scope.databases else []
    return [*keys, *channels, *databases, *scope.commands]


def _key_word(rule: KeyRule) -> bytes:
    if rule.reads and rule.writes:
        return b"~" + rule.pattern
    return b"%" + (b"R" if rule.reads else b"") + (b"W" if rule.writes else b"") + b"~" + rule.pattern

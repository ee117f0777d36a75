"""A user of a Redis node whole, hashes of passwords included: between a node and a run only, never shown, never stored but sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.crypto import salted_hmac

from apps.acl.grammar import Rules
from apps.acl.reads.rules import HASH_SHOWN, User, parse_line, split_selectors
from apps.engine.connections.redis import RedisNode
from apps.engine.errors import Unsupported

MOST_USERS = 10_000
_STATE = frozenset({b"on", b"off", b"nopass"})
# What the server writes of every user, and what `setting` begins with: they say nothing of this one.
_USUAL = frozenset({b"sanitize-payload", b"resetchannels"})
_SALT = "apps.acl.definitions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One line of ACL LIST, in parts. `rules` are as the server writes them, without the words that it writes of every user."""

    name: bytes
    is_on: bool
    needs_no_password: bool
    hashes: tuple[bytes, ...] = field(repr=False)
    rules: Rules
    line: bytes = field(default=b"", repr=False, compare=False)

    @property
    def passwords(self) -> tuple[bytes, ...]:
        """As ACL SETUSER takes them: #hashes, or nopass."""
        return (b"nopass",) if self.needs_no_password else tuple(b"#" + each for each in self.hashes)

    @property
    def mark(self) -> str:
        """Tells whether the user was changed. Keyed, so that it says nothing of the passwords to whoever reads it in a plan."""
        parts = [b"on" if self.is_on else b"off", *sorted(self.passwords), b"", *self.rules.arguments()]
        return salted_hmac(_SALT, b"\n".join([self.name, *parts]), algorithm="sha256").hexdigest()[:24]

    @property
    def user(self) -> User:
        """The same with the hashes cut, for words."""
        return parse_line(self.line)

    @property
    def words(self) -> list[bytes]:
        """What makes the user this again, exactly as the server wrote it."""
        return [b"reset", *self.line.split(b" ")[2:]]

    @property
    def shown_hashes(self) -> str:
        """The first digits of each hash, as they may be shown."""
        return ", ".join(each[:HASH_SHOWN].decode("ascii", "replace") + "…" for each in self.hashes)


def of_line(line: bytes) -> Definition:
    """A line of ACL LIST: `user NAME on #hash ~pattern &channel +command (selector)`."""
    _, name, *words = line.split(b" ")
    root, selectors = split_selectors([word for word in words if word])
    return Definition(
        name=name,
        is_on=b"on" in root,
        needs_no_password=b"nopass" in root,
        hashes=tuple(word[1:] for word in root if word.startswith(b"#")),
        rules=Rules(
            words=tuple(word for word in root if word not in _STATE | _USUAL and not word.startswith(b"#")),
            selectors=tuple(tuple(word for word in selector if word not in _USUAL) for selector in selectors),
        ),
        line=line,
    )


def find(lines: Sequence[bytes], name: bytes) -> Definition | None:
    """The user of this name among the lines of ACL LIST. Errors: Unsupported above 10,000 users."""
    if len(lines) > MOST_USERS:
        raise Unsupported(f"This server has more than {MOST_USERS:,} users.", way_out="Change them by its ACL file.")
    head = b"user " + name + b" "
    line = next((line for line in lines if line.startswith(head)), None)
    return of_line(line) if line is not None else None


def read(node: RedisNode, name: bytes) -> Definition | None:
    """One user as a node holds it; None where it has none. Cost: one command. Source: ACL LIST, the one place with every word."""
    return find(node.command("ACL", "LIST"), name)

r"""The rules of a Redis user as people write them, taken apart strictly: what the server would take by accident is refused here.

Words are separated by white space and read from left to right, as the server does. Passwords and on/off are no rules here: they
have fields of their own. A byte that is no text is written \xff.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from apps.acl.reads.rules import Scope, User, scope_words
from apps.engine.contracts.action import Refused
from apps.engine.text import plain

MOST_RULES = 64
MOST_PATTERN_BYTES = 256
MOST_NAME_BYTES = 128
FIELD = "rules"

_STATE = frozenset({b"on", b"off", b"nopass", b"resetpass", b"reset"})
_SECRET = (b">", b"<", b"#", b"!")
_KEYS = frozenset({b"allkeys", b"resetkeys"})
_CHANNELS = frozenset({b"allchannels", b"resetchannels"})
_COMMANDS = frozenset({b"allcommands", b"nocommands"})
_PAYLOAD = frozenset({b"sanitize-payload", b"skip-sanitize-payload"})
_NAMED = _KEYS | _CHANNELS | _COMMANDS | _PAYLOAD | {b"clearselectors"}
_COMMAND = re.compile(rb"[+-](@[a-z0-9_-]{1,64}|[a-z0-9_.-]{1,64}(\|[^\s()|]{1,64})?)")
_KEY = re.compile(rb"(~|%(?:R|W|RW|WR)~)(.+)", re.DOTALL | re.IGNORECASE)
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")
_SPACE = re.compile(rb"[\x00\t\n\v\f\r ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a user may: the words of the user itself, and those of each selector."""

    words: tuple[bytes, ...] = ()
    selectors: tuple[tuple[bytes, ...], ...] = ()

    @property
    def scopes(self) -> tuple[tuple[bytes, ...], ...]:
        """The user itself and its selectors: what any of them allows is allowed."""
        return self.words, *self.selectors

    def arguments(self) -> list[bytes]:
        """As ACL SETUSER takes them: a selector is one argument."""
        return [*self.words, *(b"(" + b" ".join(selector) + b")" for selector in self.selectors)]


def parsed(text: str) -> Rules:
    """Errors: Refused of the field with the word that is wrong, and why."""
    words = [_unescaped(word) for word in text.split()]
    if not words:
        raise _refused("Write what the user may; -@all alone is a user that may do nothing.")
    if len(words) > MOST_RULES:
        raise _refused(f"At most {MOST_RULES} words; these are {len(words)}.")
    root, selectors = _grouped(words)
    _check_words(root, in_selector=False)
    for selector in selectors:
        _check_words(selector, in_selector=True)
    return Rules(words=tuple(root), selectors=tuple(tuple(selector) for selector in selectors))


def check_name(name: bytes) -> None:
    """Errors: Refused for what no user can be called."""
    if not name or len(name) > MOST_NAME_BYTES:
        raise Refused(f"A name has 1 to {MOST_NAME_BYTES} bytes.", field="name")
    if _SPACE.search(name):
        raise Refused("A name has no spaces and no NUL.", field="name")


def written(rules: Rules) -> str:
    """The text that `parsed` reads back."""
    return " ".join(_escaped(word) for word in rules.arguments())


def rules_of(user: User) -> Rules:
    """What a user that was read may, as rules."""
    words = [*user.others, *scope_words(user.scope)]
    return Rules(words=tuple(words), selectors=tuple(_of_scope(scope) for scope in user.selectors))


def _of_scope(scope: Scope) -> tuple[bytes, ...]:
    return tuple(scope_words(scope))


def unsupported(rules: Rules, version: tuple[int, int]) -> str:
    """Why a server of this version does not take these rules, as the end of a sentence; empty where it does."""
    if version < (7, 0):
        if rules.selectors or b"clearselectors" in rules.words:
            return "knows no selectors: they came with 7.0"
        for word in rules.words:
            if word.startswith(b"%"):
                return f"cannot tell reading from writing ({plain(word, most=40)}): that came with 7.0"
            if word.startswith(b"-") and b"|" in word:
                return f"cannot deny a subcommand ({plain(word, most=40)}): that came with 7.0"
    if version < (6, 2):
        for word in rules.words:
            if word.startswith(b"&") or word in _CHANNELS:
                return "knows no channels in rules: they came with 6.2"
            if word in _PAYLOAD:
                return f"does not know {word.decode()}: it came with 6.2"
    return ""


def setting(rules: Rules, *, is_on: bool, passwords: Sequence[bytes], version: tuple[int, int]) -> list[bytes]:
    """The words of ACL SETUSER that make a user this and nothing else.

    `passwords` are #hashes, or nopass. From 6.2 on a user, and from 7.0 on a selector, begins with every channel or with none, as
    the server is set up: it is said, so that the same rules mean the same on every node.
    """
    channels = [b"resetchannels"] if version >= (6, 2) else []
    selectors = [b"(" + b" ".join([b"resetchannels", *selector]) + b")" for selector in rules.selectors]
    return [b"reset", b"on" if is_on else b"off", *passwords, *channels, *rules.words, *selectors]


def differences(before: Rules, after: Rules) -> tuple[list[bytes], list[bytes]]:
    """(words that go, words that come), selectors whole."""
    was, will = before.arguments(), after.arguments()
    return [word for word in was if word not in will], [word for word in will if word not in was]


# -- words -------------------------------------------------------------------------------------------------------------


def _unescaped(word: str) -> bytes:
    raw = word.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw)


def _escaped(word: bytes) -> str:
    guarded = _ESCAPE.sub(lambda found: b"\\x5c" + found[0][1:], word)
    text = guarded.decode("utf-8", "surrogateescape")
    return "".join(character if character.isprintable() else _as_bytes(character) for character in text)


def _as_bytes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def _grouped(words: Sequence[bytes]) -> tuple[list[bytes], list[list[bytes]]]:
    """The words of the user itself, and of each (selector). Errors: Refused where brackets do not match."""
    root: list[bytes] = []
    selectors: list[list[bytes]] = []
    inside = False
    for word in words:
        opens, closes = word.startswith(b"("), (inside or word.startswith(b"(")) and word.endswith(b")")
        if opens and inside:
            raise _refused("A selector begins within another one: a ) is missing.")
        if opens:
            selectors.append([])
        bare = word[opens : len(word) - closes]
        if opens or inside:
            selectors[-1] += [bare] if bare else []
        else:
            root.append(word)
        inside = (inside or opens) and not closes
    if inside:
        raise _refused("A selector does not end: a ) is missing.")
    if not all(selectors):
        raise _refused("A selector is empty.")
    return root, selectors


def _check_words(words: Sequence[bytes], *, in_selector: bool) -> None:
    every_key = every_channel = False
    for word in words:
        _check_word(word, in_selector=in_selector)
        every_key = _check_order(word, every_key, b"allkeys", (b"~*",), b"resetkeys", signs=(b"~", b"%"))
        every_channel = _check_order(word, every_channel, b"allchannels", (b"&*",), b"resetchannels", signs=(b"&",))


def _check_order(
    word: bytes, every: bool, name: bytes, stars: Sequence[bytes], reset: bytes, *, signs: tuple[bytes, ...]
) -> bool:
    """Whether everything is allowed after this word. The server refuses a pattern that would add nothing to everything."""
    if word == name or word in stars:
        return True
    if word == reset:
        return False
    if every and word.startswith(signs):
        raise _refused(f"{_shown(word)} adds nothing: {_shown(stars[0])} before it allows all. Take one of them away.")
    return every


def _check_word(word: bytes, *, in_selector: bool) -> None:
    """Errors: Refused for what is no rule, or not here."""
    if not word or _SPACE.search(word):
        raise _refused(f"{_shown(word)} holds a space or a NUL.")
    if word.startswith(_SECRET):
        raise _refused("A password does not belong into the rules: it has a field of its own, which is kept sealed.")
    if word in _STATE:
        raise _refused(f"{word.decode()} is no rule here: sign-in and passwords have fields of their own.")
    if in_selector and (b"(" in word or b")" in word or word in _PAYLOAD or word == b"clearselectors"):
        raise _refused(f"{_shown(word)} cannot be within a selector.")
    if word in _NAMED or _COMMAND.fullmatch(word):
        return
    pattern = _pattern(word)
    if not pattern:
        raise _refused(f"{_shown(word)} is no rule that this console knows.")
    if len(pattern) > MOST_PATTERN_BYTES:
        raise _refused(f"A pattern has at most {MOST_PATTERN_BYTES} bytes; {_shown(word[:20])}… has {len(pattern):,}.")


def _pattern(word: bytes) -> bytes:
    if word.startswith(b"&"):
        return word[1:]
    found = _KEY.fullmatch(word)
    return found[2] if found else b""


def patterns(rules: Rules) -> Iterator[bytes]:
    """The patterns of keys in all scopes, each once."""
    found = (_KEY.fullmatch(word) for scope in rules.scopes for word in scope)
    named = (match[2] if match else b"" for match in found)
    everything = [b"*" for scope in rules.scopes if b"allkeys" in scope][:1]
    yield from dict.fromkeys([*everything, *filter(None, named)])


def channels(rules: Rules) -> Iterator[bytes]:
    """The patterns of channels in all scopes, each once."""
    everything = [b"*" for scope in rules.scopes if b"allchannels" in scope][:1]
    named = (word[1:] for scope in rules.scopes for word in scope if word.startswith(b"&"))
    yield from dict.fromkeys([*everything, *named])


def _shown(word: bytes) -> str:
    return plain(word, most=60) or '""'


def _refused(message: str) -> Refused:
    return Refused(message, field=FIELD)

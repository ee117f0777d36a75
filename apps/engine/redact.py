"""Commands as they may be shown: verbs, names of keys and options in clear, values and secrets as their size.

What is not known to be harmless is masked: a new command shows too little until somebody adds it here, never too much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from apps.engine import text
from apps.engine.connections.redis import Argument, Command

MOST_NAME_BYTES = 200
MOST_WORDS = 80  # an ACL rule of 64 words is shown whole
# Words that say how, never what.
OPTIONS = frozenset(
    b"MATCH COUNT TYPE SAMPLES EX PX EXAT PXAT NX XX GT LT GET KEEPTTL ABSTTL REPLACE MAXLEN MINID LIMIT WITHSCORES REV ID ADDR"
    b" USER SKIPME YES NO ASYNC SYNC RESET STREAMS GROUP JUSTID SCHEDULE ABORT LEFT RIGHT BEFORE AFTER FORCE TIMEOUT".split()
)
WHOLE = frozenset(
    b"SCAN CLIENT SLOWLOG LATENCY BGSAVE PSYNC REPLCONF INFO SELECT ROLE DBSIZE TIME WAIT LASTSAVE".split()
)
MANY_KEYS = frozenset(b"UNLINK DEL EXISTS TOUCH WATCH MGET".split())
# What differs between calls says nothing: many of them are one shape.
ROUGH = frozenset(b"XADD XRANGE".split())
SHA_SHOWN = 8
ABOUT_A_KEY = frozenset(b"MEMORY OBJECT XINFO".split())  # the key comes after a subcommand
MASKED_SETTINGS = (b"pass", b"auth", b"user", b"secret", b"key")


def shown(command: Command) -> str:
    """One command, on one line. Cost: microseconds; names are cut at 200 bytes."""
    verb = _bytes(command[0]).upper()
    if verb in MANY_KEYS:
        some = " ".join(_name(_bytes(word)) for word in command[:6])
        return some + (f" … {len(command) - 1} keys" if len(command) > 6 else "")
    words = [_bytes(word) for word in command[:MOST_WORDS]]
    if verb in WHOLE or len(words) == 1:
        return " ".join(map(_name, words))
    return " ".join([verb.decode("ascii", "replace"), *SPECIAL.get(verb, _key_and_options)(words[1:])])


def shape(command: Command) -> str:
    """What many commands have in common: `DUMP <key>`, `UNLINK <key> …`, `SCAN <cursor> MATCH cart:* COUNT 200`."""
    verb = _bytes(command[0]).upper()
    if verb in MANY_KEYS:
        return f"{verb.decode()} <key>{' …' if len(command) > 2 else ''}"
    words = [_bytes(word) for word in command[:MOST_WORDS]]
    if verb == b"SCAN" and len(words) > 1:
        return " ".join(["SCAN <cursor>", *map(_name, words[2:])])
    if verb in ABOUT_A_KEY and len(words) > 2:
        return " ".join([verb.decode(), _name(words[1]), "<key>", *map(_option, words[3:])])
    if verb in ROUGH:
        return f"{verb.decode()} <key> …"
    if verb == b"EVALSHA":
        return f"EVALSHA {_sha(words[1])} …"
    if len(words) > 1 and verb not in WHOLE and verb not in SPECIAL:
        return " ".join([verb.decode("ascii", "replace"), "<key>", *map(_option, words[2:])])
    return shown(command)


def _bytes(word: Argument) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape")


def _name(word: bytes) -> str:
    return text.plain(word, most=MOST_NAME_BYTES) or '""'


def _masked(word: bytes) -> str:
    return f"<{len(word)} bytes>"


def _option(word: bytes) -> str:
    """Options and numbers in clear, anything else as its size."""
    plain = word.upper() in OPTIONS or (word.lstrip(b"-").isdigit() and len(word) < 20)
    return _name(word) if plain else _masked(word)


def _key_and_options(words: Sequence[bytes]) -> list[str]:
    return [_name(words[0]), *map(_option, words[1:])]


def _acl(words: Sequence[bytes]) -> list[str]:
    """Rules in clear, passwords and their hashes not."""
    return [_masked(word) if word[:1] in (b">", b"<", b"#", b"!") else _name(word) for word in words]


def _config(words: Sequence[bytes]) -> list[str]:
    """Names and values, but those of settings that hold a secret."""
    secret = any(mark in word.lower() for word in words[1:2] for mark in MASKED_SETTINGS)
    return [*map(_name, words[:2]), *(map(_masked, words[2:]) if secret else map(_name, words[2:]))]


def _evalsha(words: Sequence[bytes]) -> list[str]:
    """The script and its keys in clear, its arguments as their size."""
    count = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return [_sha(words[0]), *map(_name, words[1 : 2 + count]), *map(_masked, words[2 + count :])]


def _sha(word: bytes) -> str:
    return _name(word) if len(word) <= SHA_SHOWN else f"{_name(word)[:SHA_SHOWN]}…"


SPECIAL: dict[bytes, Callable[[Sequence[bytes]], list[str]]] = {
    b"ACL": _acl,
    b"CONFIG": _config,
    b"EVALSHA": _evalsha,
    b"SCRIPT": lambda words: [_name(words[0]), *map(_masked, words[1:])],
    b"AUTH": lambda words: list(map(_masked, words)),
    b"HELLO": lambda words: [_name(words[0]), *map(_masked, words[1:])],
    b"XINFO": lambda words: list(map(_name, words)),
    b"XTRIM": lambda words: list(map(_name, words)),
    b"XDEL": lambda words: list(map(_name, words)),
    b"LREM": lambda words: [*map(_name, words[:2]), *map(_masked, words[2:])],
    b"OBJECT": lambda words: list(map(_name, words)),
    b"MEMORY": lambda words: list(map(_name, words)),
}

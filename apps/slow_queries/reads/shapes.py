"""Commands folded to their shape: `HGET cart:81723 total` and `HGET cart:5 items` are both `HGET cart:*`.

A shape is what everybody may see who may see that the server is slow: a part of a key stays only where it looks like a word
that a programmer wrote. Arguments that are not keys never show. What a command does with its arguments is known from a list;
a command that is not on it (a module's, a newer server's) shows nothing but its name and how many arguments it had.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

FOLD = "*"
LONGEST_WORD = 24
MOST_KEY_BYTES = 128

_SEPARATORS = re.compile(r"([:./|\-_{}\[\]#])")
_WORD = re.compile(r"[A-Za-z]+")
_REST = re.compile(rb"^\.\.\. \((\d+) more arguments\)$")
_CUT = re.compile(rb"\.\.\. \((\d+) more bytes\)$")


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


# The key is the first argument.
_FIRST = _set(
    """APPEND BITCOUNT BITFIELD BITFIELD_RO BITPOS BLMOVE BLPOP BRPOP BRPOPLPUSH BZPOPMAX BZPOPMIN COPY DECR DECRBY DUMP EXPIRE
    EXPIREAT EXPIRETIME GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER GEOSEARCH GEOSEARCHSTORE GET GETBIT GETDEL GETEX
    GETRANGE GETSET HDEL HEXISTS HEXPIRE HGET HGETALL HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HPEXPIRE HPTTL HRANDFIELD HSCAN
    HSET HSETNX HSTRLEN HTTL HVALS INCR INCRBY INCRBYFLOAT LINDEX LINSERT LLEN LMOVE LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM
    MOVE PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PFADD PSETEX PTTL RENAME RENAMENX RESTORE RPOP RPOPLPUSH RPUSH RPUSHX SADD SCARD SET
    SETBIT SETEX SETNX SETRANGE SISMEMBER SMEMBERS SMISMEMBER SMOVE SORT SORT_RO SPOP SRANDMEMBER SREM SSCAN STRLEN SUBSTR TTL TYPE
    XACK XADD XAUTOCLAIM XCLAIM XDEL XLEN XPENDING XRANGE XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZINCRBY ZLEXCOUNT ZMSCORE ZPOPMAX
    ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE
    ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNIONSTORE ZINTERSTORE ZDIFFSTORE SUNIONSTORE SINTERSTORE
    SDIFFSTORE KEYS MSET MSETNX JSON.GET JSON.SET HGETDEL HGETEX HSETEX XDELEX XACKDEL"""
)
# All arguments are keys.
_ALL = _set("DEL UNLINK EXISTS TOUCH MGET SUNION SINTER SDIFF WATCH PFCOUNT PFMERGE")
# The second argument is the first key: a subcommand, an operation or a number stands before it.
_SECOND = _set("BITOP OBJECT XGROUP XINFO MEMORY ZUNION ZINTER ZDIFF SINTERCARD ZINTERCARD LMPOP ZMPOP")
_SCRIPTS = _set("EVAL EVAL_RO EVALSHA EVALSHA_RO FCALL FCALL_RO")
# Their second word is part of the name.
_CONTAINERS = _set(
    """ACL CLIENT CLUSTER COMMAND CONFIG DEBUG FUNCTION LATENCY MEMORY MODULE OBJECT PUBSUB SCRIPT SLOWLOG XGROUP XINFO"""
)
_WITH_RANGE = _set("LRANGE ZRANGE ZREVRANGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`name` is the command, `arguments` the folded key and how many followed, `advice` what would be cheaper ("" if unknown)."""

    name: str
    arguments: str
    effect: str
    advice: str


def shape_of(words: Sequence[bytes], arguments_count: int) -> Shape:
    """The shape of a command as the slow log holds it. `arguments_count` counts the arguments that were sent."""
    name = _plain_name(words[0]) if words else "unknown"
    rest = list(words[1:])
    if name in _CONTAINERS and rest and name not in ("OBJECT", "MEMORY", "XGROUP", "XINFO"):
        return Shape(
            name=f"{name} {_plain_name(rest[0])}",
            arguments=_and_more(arguments_count - 1).strip(),
            effect="",
            advice="",
        )
    return Shape(
        name=name,
        arguments=_folded_arguments(name, rest, arguments_count),
        effect=_effect(name, rest),
        advice=_advice(name, rest, arguments_count),
    )


def folded_key(key: bytes) -> str:
    """A key with what tells one thing from another folded away: b"cart:81723:items" -> "cart:*:items"."""
    cut = _CUT.sub(b"", key)[:MOST_KEY_BYTES]
    parts = _SEPARATORS.split(cut.decode("utf-8", "replace"))
    folded = "".join(part if i % 2 or part in ("", FOLD) or _is_word(part) else FOLD for i, part in enumerate(parts))
    return re.sub(r"\*(?:[-_.]?\*)+", FOLD, folded)


def sent_arguments(words: Sequence[bytes]) -> tuple[list[bytes], int]:
    """(the words that the log kept, how many arguments were sent): the server replaces what is past 31 by a remark."""
    if words and (rest := _REST.match(words[-1])):
        return list(words[:-1]), len(words) - 2 + int(rest[1])
    return list(words), max(len(words) - 1, 0)


def size_of(word: bytes) -> int:
    """The bytes an argument had before the log cut it to 128; what it did not cut is no longer than that."""
    cut = _CUT.search(word) if len(word) > MOST_KEY_BYTES else None
    return cut.start() + int(cut[1]) if cut else len(word)


def _plain_name(word: bytes) -> str:
    """A command's name; what looks like none (a key typed where a command belongs) is folded."""
    text = word[:40].decode("ascii", "replace").upper()
    return text if re.fullmatch(r"[A-Z][A-Z0-9_.\-|]*", text) else FOLD


def _is_word(part: str) -> bool:
    """Letters only and short, and no long run of hexadecimal ones, which identifiers are made of."""
    return bool(_WORD.fullmatch(part)) and len(part) <= LONGEST_WORD and not re.fullmatch(r"[a-fA-F]{6,}", part)


def _folded_arguments(name: str, rest: Sequence[bytes], count: int) -> str:
    if not rest:
        return ""
    if name in _SCRIPTS:
        called = rest[0].decode("ascii", "replace")
        label = f"{called[:8]}…" if re.fullmatch(r"[0-9a-f]{40}", called) else "script"
        return f"{label}{_and_more(count - 1)}"
    if name in _ALL:
        return folded_key(rest[0]) + (f" × {_rounded(count)}" if count > 1 else "")
    if name in _SECOND:
        return f"{FOLD} {folded_key(rest[1])}" if len(rest) > 1 else FOLD
    if name in _FIRST:
        return (
            folded_key(rest[0]) + _range(name, rest) + (f" × {_rounded(count // 2)}" if name.startswith("MSET") else "")
        )
    return _and_more(count).strip()


def _range(name: str, rest: Sequence[bytes]) -> str:
    """Start and stop of a range are small numbers and tell why it is slow."""
    if name not in _WITH_RANGE or len(rest) < 3 or not all(re.fullmatch(rb"-?\d{1,12}", word) for word in rest[1:3]):
        return ""
    start, stop = int(rest[1]), int(rest[2])
    return " 0 -1" if (start, stop) == (0, -1) else " of a part" if stop >= 0 else " to the end"


def _and_more(count: int) -> str:
    return "" if count <= 0 else " 1 argument" if count == 1 else f" {_rounded(count)} arguments"


def _rounded(count: int) -> str:
    """Up to 9 as it is, then one digit: 512 and 530 are one shape, ≥ 500."""
    if count < 10:
        return str(count)
    step = 10 ** (len(str(count)) - 1)
    return f"≥ {count // step * step:,}"


_WHOLE = _set("SMEMBERS HGETALL HKEYS HVALS SORT SORT_RO SUNION SINTER SDIFF")
_BLOCKS = _set("KEYS FLUSHALL FLUSHDB DEBUG SAVE")


def _effect(name: str, rest: Sequence[bytes]) -> str:
    """ "blocks all" for a walk over every key, "whole key" for a command that reads all of one, else ""."""
    if name in _BLOCKS:
        return "blocks all"
    return "whole key" if name in _WHOLE or _range(name, rest) == " 0 -1" else ""


_ADVICE = {
    "KEYS": "SCAN in slices",
    "FLUSHALL": "FLUSHALL ASYNC",
    "FLUSHDB": "FLUSHDB ASYNC",
    "SAVE": "BGSAVE",
    "SMEMBERS": "SSCAN, or SISMEMBER if only asked",
    "HGETALL": "HMGET of the fields it uses, or HSCAN",
    "HKEYS": "HSCAN",
    "HVALS": "HMGET of the fields it uses, or HSCAN",
    "SORT": "a sorted set that is kept in order",
    "SUNION": "SUNIONSTORE off the busy hours",
    "SINTER": "SINTERCARD if only counted",
    "DEL": "UNLINK, which frees in the background",
    "EVAL": "smaller steps: nothing else runs meanwhile",
    "EVALSHA": "smaller steps: nothing else runs meanwhile",
    "FCALL": "smaller steps: nothing else runs meanwhile",
}
MANY_KEYS = 100


def _advice(name: str, rest: Sequence[bytes], count: int) -> str:
    if name in _ALL and name != "DEL" and count > MANY_KEYS:
        return f"{MANY_KEYS} at a time, pipelined"
    if _range(name, rest) == " 0 -1":
        return "pages of the part that is needed"
    return _ADVICE.get(name, "")

"""The commands that a change of rules is looked at by: what the user's clients ran last, what was denied, what is typical."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.acl import grammar
from apps.acl.evaluation import SUBCOMMANDS_SINCE, Call
from apps.acl.grammar import Rules
from apps.acl.nodes import Nodes
from apps.acl.reads.redis import client_field
from apps.engine.connections.redis import RedisNode
from apps.engine.glob import example

MOST = 60
MOST_SEEN = 25
MOST_PATTERNS = 6
TYPICAL = tuple(
    b"get set del expire incr hgetall hset lpush lrange sadd smembers zadd zrange xadd xreadgroup subscribe publish multi eval"
    b" scan keys info config|get config|set client|list client|kill acl|setuser flushall shutdown".split()
)
_CHANNELS = {b"publish": False, b"spublish": False, b"subscribe": False, b"ssubscribe": False, b"psubscribe": True}
READS, WRITES = b"<read>", b"<written>"
# The keys of these are found by their other arguments: they are written so that the server finds the one that is meant.
_WRITTEN: Mapping[bytes, tuple[bytes, ...]] = {
    b"eval": (b"EVAL", b"return 1", b"0"),
    b"evalsha": (b"EVALSHA", b"0" * 40, b"0"),
    b"xread": (b"XREAD", b"STREAMS", READS, b"0"),
    b"xreadgroup": (b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", READS, b">"),
    b"zunionstore": (b"ZUNIONSTORE", WRITES, b"1", READS),
    b"zinterstore": (b"ZINTERSTORE", WRITES, b"1", READS),
    b"zdiffstore": (b"ZDIFFSTORE", WRITES, b"1", READS),
}
# What these do to a key follows from their options: here they have none.
_PLAIN = {b"set": (False, True), b"bitfield": (True, False)}


def calls_for(
    node: RedisNode, nodes: Nodes, before: Rules | None, after: Rules, *, version: tuple[int, int]
) -> list[Call]:
    """The rows of the comparison: seen first, then typical ones, then each pattern of keys read and written.

    Shape: at most 60. Cost: one COMMAND INFO. Errors: NotPermitted without +command|info. Source: COMMAND INFO.
    """
    wanted = _wanted(nodes, before, after)
    names = [_asked(name, version) for name, _, _ in wanted]
    told = node.command("COMMAND", "INFO", *dict.fromkeys(names))
    infos = dict(zip(dict.fromkeys(names), told, strict=True))
    unique: dict[tuple[bytes, ...], Call] = {}
    for (name, about, seen), asked in zip(wanted, names, strict=True):
        if infos[asked]:
            call = call_of(name, infos[asked], about, seen)
            unique.setdefault(call.argv, call)
    return list(unique.values())[:MOST]


def modules_commands(node: RedisNode, names: Iterable[bytes]) -> frozenset[bytes]:
    """Those of some names that are commands though no category lists them. Cost: one COMMAND INFO."""
    asked = list(names)
    told = node.command("COMMAND", "INFO", *asked) if asked else []
    return frozenset(name for name, info in zip(asked, told, strict=True) if info)


def _asked(name: bytes, version: tuple[int, int]) -> bytes:
    """6.x knows no subcommands by name."""
    return name if version >= SUBCOMMANDS_SINCE else name.partition(b"|")[0]


def _wanted(nodes: Nodes, before: Rules | None, after: Rules) -> list[tuple[bytes, bytes, str]]:
    """(command, key or channel, where it was seen)."""
    patterns = list(grammar.patterns(before)) if before else []
    patterns += [each for each in grammar.patterns(after) if each not in patterns]
    channels = [*(grammar.channels(before) if before else ()), *grammar.channels(after)]
    key = example(patterns[0]) if patterns else b"key"
    channel = example(channels[0]) if channels else b"channel"
    seen = [*_denied(nodes, key), *_clients(nodes)][:MOST_SEEN]
    rows = [(name, about or (channel if name in _CHANNELS else key), words) for name, about, words in seen]
    rows += [(name, channel if name in _CHANNELS else key, "typical") for name in TYPICAL]
    for pattern in patterns[:MOST_PATTERNS]:
        rows += [(name, example(pattern), "its pattern") for name in (b"get", b"set")]
    return rows


def _clients(nodes: Nodes) -> list[tuple[bytes, bytes, str]]:
    commands = Counter(client.command.lower() for node in nodes.there for client in node.clients or ())
    return [
        (command, b"", f"{count} {'client' if count == 1 else 'clients'} last")
        for command, count in commands.most_common()
        if command not in (b"", b"null")
    ]


def _denied(nodes: Nodes, key: bytes) -> list[tuple[bytes, bytes, str]]:
    """Denials of the ACL log: of a command, whose name it is, or of a key or channel, that was used by the client's command."""
    found: Counter[tuple[bytes, bytes]] = Counter()
    for node in nodes.there:
        for entry in node.denials:
            reason, what = bytes(entry.get(b"reason") or b""), bytes(entry.get(b"object") or b"")
            command = client_field(bytes(entry.get(b"client-info") or b""), b"cmd").lower()
            if reason == b"command":
                found[what.lower(), b""] += int(entry.get(b"count") or 1)
            elif reason in (b"key", b"channel") and command:
                found[command, what] += int(entry.get(b"count") or 1)
    return [(name, about, f"denied {count} ×") for (name, about), count in found.most_common()]


def call_of(name: bytes, info: Sequence[Any], about: bytes, seen: str) -> Call:
    """A command with as many arguments as it needs, the key where it belongs."""
    top, _, sub = name.partition(b"|")
    known = bytes(info[0]).lower()
    if known in _WRITTEN:
        return _written(known, about, seen)
    positions = _positions(info)
    count = max(abs(int(info[1])), 1 + bool(sub), *(at + 1 for at in positions))
    argv = (top.upper(), *([sub.upper()] if sub else []))
    argv = (*argv, *(b"0" for _ in range(count - len(argv))))
    argv = tuple(about if at in positions else word for at, word in enumerate(argv))
    if name in _CHANNELS:
        argv = (argv[0], about, *argv[2:])
        return Call(name=known, argv=argv, channels=((about, _CHANNELS[name]),), seen=seen)
    keys = tuple((argv[at], *(_PLAIN.get(known) or access)) for at, access in positions.items())
    return Call(name=known, argv=argv, keys=keys, seen=seen)


def _written(name: bytes, key: bytes, seen: str) -> Call:
    words = _WRITTEN[name]
    return Call(
        name=name,
        argv=tuple(key if word in (READS, WRITES) else word for word in words),
        keys=tuple((key, word == READS, word == WRITES) for word in words if word in (READS, WRITES)),
        seen=seen,
    )


def _positions(info: Sequence[Any]) -> dict[int, tuple[bool, bool]]:
    """Where the keys of a command are when it has as few arguments as it may, and whether each is read and written."""
    arity = abs(int(info[1]))
    if len(info) < 9:
        first, last, step = (int(each) for each in info[3:6])
        return dict.fromkeys(_spread(first, last, step, max(arity, first + 1)), (True, True))
    found: dict[int, tuple[bool, bool]] = {}
    for spec in info[8]:
        parts = dict(zip(spec[::2], spec[1::2], strict=False))
        begin, finds = _parts(parts[b"begin_search"]), _parts(parts[b"find_keys"])
        if begin[b"type"] != b"index" or finds[b"type"] != b"range" or b"not_key" in parts[b"flags"]:
            continue
        first, last = int(_parts(begin[b"spec"])[b"index"]), int(_parts(finds[b"spec"])[b"lastkey"])
        flags = set(parts[b"flags"])
        access = (b"access" in flags, bool(flags & {b"insert", b"delete", b"update"}))
        end = first + last if last >= 0 else last
        for at in _spread(first, end, int(_parts(finds[b"spec"])[b"keystep"]), max(arity, first + 1)):
            found[at] = access
    return found


def _spread(first: int, last: int, step: int, count: int) -> range:
    """Positions of keys among `count` words; a last position below 0 counts from the end."""
    if first <= 0:
        return range(0)
    end = last if last >= 0 else count + last
    return range(first, max(end, first) + 1, max(step, 1))


def _parts(flat: Sequence[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=False))

"""The settings of a Redis that may be changed from here, each with what it takes.

What is not in this list is never sent: a setting that names a file or a folder lets whoever may set it write files, one that
holds a password, a user, an address or a module lets the console, or everybody else, in or out. What a crash would lose (save,
appendonly) is left to the server's own file as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apps.engine.contracts.action import Refused

LARGEST_BYTES = 2**50
MANY = 2**31 - 1
SIZE = re.compile(r"(?P<figure>[0-9]{1,18}) *(?P<unit>|b|k|kb|m|mb|g|gb)", re.IGNORECASE)
UNITS = {"": 1, "b": 1, "k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
POLICIES = (
    "noeviction",
    *(f"{which}-{how}" for which in ("allkeys", "volatile") for how in ("lru", "lfu", "random")),
    "volatile-ttl",
)
EVENTS = "AKEg$lshzxetdmn"
LEAST_LIMIT_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Settable:
    """`parse` gives the text that is sent. Errors: ValueError with the words of `takes`. `unit` is said after a number."""

    name: str
    takes: str
    parse: Callable[[str], str]
    unit: str = ""


def _whole(least: int, most: int) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise ValueError(text)
        return str(int(text))

    return parse


def _size(least: int, *, zero: bool) -> Callable[[str], str]:
    def parse(text: str) -> str:
        found = SIZE.fullmatch(text)
        size = int(found["figure"]) * UNITS[found["unit"].lower()] if found else -1
        if not (least <= size <= LARGEST_BYTES or (zero and size == 0)):
            raise ValueError(text)
        return str(size)

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(text)
        return text.lower()

    return parse


def _events(text: str) -> str:
    if set(text) - set(EVENTS):
        raise ValueError(text)
    return "".join(dict.fromkeys(text))


def _number(name: str, least: int, most: int, unit: str, more: str = "") -> Settable:
    takes = f"a whole number from {least:,} to {most:,}, in {unit}{more}"
    return Settable(name=name, takes=takes, parse=_whole(least, most), unit=unit)


def _yes_no(name: str) -> Settable:
    return Settable(name=name, takes="yes or no", parse=_one_of("yes", "no"))


_ENCODINGS = (
    *(f"{kind}-max-{shape}-{what}" for kind in ("hash", "zset") for shape in ("ziplist", "listpack") for what in ("entries", "value")),
    "set-max-intset-entries", "set-max-listpack-entries", "set-max-listpack-value",
)  # fmt: skip

SETTABLE: Mapping[str, Settable] = {
    each.name: each
    for each in (
        Settable(
            name="maxmemory",
            takes="a size such as 512mb or 4gb, at least 1mb; 0 is no limit",
            parse=_size(LEAST_LIMIT_BYTES, zero=True),
            unit="bytes",
        ),
        Settable(name="maxmemory-policy", takes=f"one of {', '.join(POLICIES)}", parse=_one_of(*POLICIES)),
        _number("maxmemory-samples", 1, 64, "keys"),
        _number("slowlog-log-slower-than", -1, 60_000_000, "µs", "; -1 is never"),
        _number("slowlog-max-len", 0, 1_000_000, "entries"),
        _number("latency-monitor-threshold", 0, 3_600_000, "ms", "; 0 is never"),
        _number("timeout", 0, 31_536_000, "s", "; 0 is never"),
        _number("tcp-keepalive", 0, 86_400, "s", "; 0 is never"),
        _number("hz", 1, 500, "times/s"),
        _number("acllog-max-len", 0, 100_000, "entries"),
        *map(_yes_no, ("activedefrag", "dynamic-hz", "lazyfree-lazy-eviction", "lazyfree-lazy-expire")),
        *map(_yes_no, ("lazyfree-lazy-server-del", "lazyfree-lazy-user-del", "lazyfree-lazy-user-flush")),
        Settable(name="notify-keyspace-events", takes=f"letters of {EVENTS}, or nothing for no events", parse=_events),
        *(_number(name, 0, 1_000_000, "entries or bytes") for name in _ENCODINGS),
        _number("list-max-listpack-size", -5, 1_000_000, "entries", "; -1 to -5 are 4 to 64 KiB"),
        _number("list-max-ziplist-size", -5, 1_000_000, "entries", "; -1 to -5 are 4 to 64 KiB"),
        _number("list-compress-depth", 0, MANY, "nodes at each end"),
        _number("stream-node-max-bytes", 0, 2**30, "bytes"),
        _number("stream-node-max-entries", 0, 1_000_000, "entries"),
    )
}


def settable(name: str) -> Settable:
    """Errors: Refused for what is not changed from here."""
    found = SETTABLE.get(name)
    if found is None:
        raise Refused(
            f"The setting {name[:60]!r} is not changed from here.",
            way_out="Settings of files, passwords, addresses, modules and persistence are changed on the server itself.",
        )
    return found


def parsed(name: str, value: str) -> str:
    """The value as it is sent. Errors: Refused with what the setting takes."""
    setting = settable(name)
    try:
        return setting.parse(value.strip())
    except ValueError as error:
        raise Refused(f"{name} takes {setting.takes}.", field="value") from error

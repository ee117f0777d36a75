"""Commands as they are shown: what they do in clear, what they carry as its size."""

from __future__ import annotations

import pytest

from apps.engine.redact import shape, shown

HASH = "a" * 64


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("SET", b"cart:1", b"secret value", "KEEPTTL"), "SET cart:1 <12 bytes> KEEPTTL"),
        (("SET", b"a\xff\x00", b"x"), r"SET a\xff\x00 <1 bytes>"),
        (("RESTORE", b"a", 0, b"\x00\x01payload", "ABSTTL"), "RESTORE a 0 <9 bytes> ABSTTL"),
        (("HSET", b"h", b"field", b"v"), "HSET h <5 bytes> <1 bytes>"),
        (("ACL", "SETUSER", "bob", "on", ">hunter2", f"#{HASH}", "~cart:*", "+@read"),
         "ACL SETUSER bob on <8 bytes> <65 bytes> ~cart:* +@read"),
        (("CONFIG", "SET", "requirepass", "hunter2"), "CONFIG SET requirepass <7 bytes>"),
        (("CONFIG", "SET", "maxmemory", "100mb"), "CONFIG SET maxmemory 100mb"),
        (("AUTH", "bob", "hunter2"), "AUTH <3 bytes> <7 bytes>"),
        (("UNLINK", *[b"k%d" % n for n in range(20)]), "UNLINK k0 k1 k2 k3 k4 … 20 keys"),
        (("EVALSHA", "abc", 1, b"key", b"secret"), "EVALSHA abc 1 key <6 bytes>"),
        (("PEXPIREAT", b"a", 1795144314000), "PEXPIREAT a 1795144314000"),
        (("CLIENT", "KILL", "ID", 12), "CLIENT KILL ID 12"),
        (("SOMETHING", b"new", b"unknown"), "SOMETHING new <7 bytes>"),
    ],
)  # fmt: skip
def test_values_and_secrets_are_their_size(command: tuple[object, ...], words: str) -> None:
    assert shown(command) == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("DUMP", b"cart:1"), "DUMP <key>"),
        (("MEMORY", "USAGE", b"cart:1", "SAMPLES", 5), "MEMORY USAGE <key> SAMPLES 5"),
        (("SCAN", "123", "MATCH", b"cart:*", "COUNT", 500), "SCAN <cursor> MATCH cart:* COUNT 500"),
        (("UNLINK", b"a", b"b"), "UNLINK <key> …"),
        (("SET", b"a", b"hunter2"), "SET <key> <7 bytes>"),
        (("ACL", "SETUSER", "bob", ">hunter2"), "ACL SETUSER bob <8 bytes>"),
        (("MULTI",), "MULTI"),
    ],
)
def test_commands_of_one_shape_are_counted_as_one(command: tuple[object, ...], words: str) -> None:
    assert shape(command) == words  # type: ignore[arg-type]

"""Trying a connection: one attempt, an answer within three seconds, and every way to fail has words of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from apps.engine import errors
from apps.engine.connections.addresses import AddressPolicy
from apps.engine.target import TLS, Kind
from apps.servers.capabilities import POSTGRES, REDIS
from apps.servers.reads import test_connection as try_connection
from tests.network import HangingServer
from tests.real_servers import PostgresDatabase, RedisServer
from tests.servers.conftest import PASSWORD, postgres_target, redis_account, redis_target, tcp_target

KINDS = pytest.mark.parametrize("kind", list(Kind))


class Scripted:
    """A TCP listener that answers every connection with what `answer(first bytes)` gives, then waits."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        try:
            while True:
                wire, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(wire,), daemon=True).start()
        except OSError:
            return

    def _serve(self, wire: socket.socket) -> None:
        try:
            while data := wire.recv(4096):
                reply = self._answer(data)
                if not reply:
                    break
                wire.sendall(reply)
        except OSError:
            pass
        wire.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[bytes], bytes]], Scripted]]:
    made: list[Scripted] = []

    def start(answer: Callable[[bytes], bytes]) -> Scripted:
        made.append(Scripted(answer))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_a_redis_says_what_it_is_and_what_it_looks_like(each_redis: RedisServer) -> None:
    for number in range(10):
        each_redis.command("SET", f"page:{number}", "x", *(["EX", "600"] if number < 7 else []))
    report = try_connection(tcp_target(Kind.REDIS, each_redis.port))
    identity = report.identity
    product = each_redis.embedded.binary.flavour.title()
    assert (identity.product, identity.version) == (product, ".".join(map(str, each_redis.version)))
    assert (identity.role, identity.mode, identity.replicas_count) == ("primary", "standalone", 0)
    assert (identity.keys_count, identity.expiring_count) == (10, 7)
    assert identity.used_memory_bytes and 0 < identity.round_trip_s < 1
    assert report.looks_like and report.looks_like.role == "cache"
    assert "70 %" in report.looks_like.because
    assert all(c.ok or "came with" in c.reason for c in report.rights.capabilities)


def test_a_broker_looks_like_a_queue(redis_clean: RedisServer) -> None:
    redis_clean.command("SADD", "rq:queues", "rq:queue:mails")
    guess = try_connection(redis_target(redis_clean)).looks_like
    assert guess and (guess.role, guess.because) == ("queue", "a queue: it holds keys of RQ")


def test_nothing_is_guessed_of_an_empty_redis(redis_clean: RedisServer) -> None:
    assert try_connection(redis_target(redis_clean)).looks_like is None


def test_a_postgres_says_what_it_is(each_postgres: PostgresDatabase) -> None:
    report = try_connection(postgres_target(each_postgres.server, each_postgres.name))
    identity = report.identity
    assert identity.product == "PostgreSQL"
    assert identity.version.startswith(str(each_postgres.server.version[0]))
    assert (identity.role, identity.database, identity.is_superuser) == ("primary", each_postgres.name, True)
    assert identity.size_bytes and identity.size_bytes > 1_000_000
    assert "superuser" in identity.note


def test_an_account_that_may_not_run_info_is_still_known(redis_clean: RedisServer) -> None:
    redis_account(redis_clean, ["+ping", "+acl|whoami", "+acl|dryrun", "+client|setname"])
    report = try_connection(redis_target(redis_clean, username="signalbox", password=PASSWORD))
    assert report.identity.account == "signalbox"
    assert report.identity.version == ".".join(map(str, redis_clean.version))
    assert report.identity.keys_count is None
    overview = next(c for c in report.rights.capabilities if c.key == "overview")
    assert overview.missing == "ACL SETUSER signalbox +info +dbsize"


def test_a_wrong_password_is_tried_once(redis_clean: RedisServer) -> None:
    redis_account(redis_clean, ["+@all"])
    with pytest.raises(errors.AuthenticationFailed) as caught:
        try_connection(tcp_target(Kind.REDIS, redis_clean.port, username="signalbox", password="not it"))
    assert "not it" not in caught.value.message + caught.value.way_out
    entries = redis_clean.command("ACL", "LOG")
    assert len(entries) == 1
    assert dict(zip(entries[0][::2], entries[0][1::2], strict=True))[b"count"] == 1


def test_a_missing_password_asks_for_one(redis_clean: RedisServer) -> None:
    redis_clean.command("CONFIG", "SET", "requirepass", "secret")
    try:
        with pytest.raises(errors.AuthenticationFailed) as caught:
            try_connection(tcp_target(Kind.REDIS, redis_clean.port))
    finally:
        redis_clean.command("CONFIG", "SET", "requirepass", "")
    assert "user and a password" in caught.value.way_out


def test_an_unknown_role_or_database_is_said(postgres_database: PostgresDatabase) -> None:
    server = postgres_database.server
    with pytest.raises(errors.AuthenticationFailed):
        try_connection(postgres_target(server, postgres_database.name, username="nobody_here"))
    with pytest.raises(errors.Gone, match="no such database"):
        try_connection(postgres_target(server, "nothing_here"))


@KINDS
def test_a_refused_connection_says_so(kind: Kind, refusing_port: int) -> None:
    with pytest.raises(errors.Unreachable, match="refused") as caught:
        try_connection(tcp_target(kind, refusing_port))
    assert caught.value.kind == "unreachable"


@KINDS
def test_a_name_without_an_address_says_so(kind: Kind) -> None:
    target = tcp_target(kind, 6379)
    address = type(target.address)(host="no-such-host.invalid", port=6379)
    with pytest.raises(errors.NameNotResolved, match="no-such-host"):
        try_connection(target.at(address))


@KINDS
@pytest.mark.parametrize("tls", [None, TLS()], ids=["plain", "tls"])
def test_a_server_that_accepts_and_hangs_is_given_up_within_three_seconds(
    kind: Kind, tls: TLS | None, hanging_server: HangingServer
) -> None:
    begun = time.monotonic()
    with pytest.raises(errors.TimedOut):
        try_connection(tcp_target(kind, hanging_server.port, tls=tls))
    assert time.monotonic() - begun < 3.0


def test_a_resolver_that_hangs_is_given_up_within_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: released.wait(20) and [])
    begun = time.monotonic()
    try:
        with pytest.raises(errors.TimedOut, match="within 3 s"):
            try_connection(tcp_target(Kind.REDIS, 6379))
        assert time.monotonic() - begun < 3.5
    finally:
        released.set()


def test_a_server_that_drips_bytes_is_given_up_within_three_seconds(
    scripted: Callable[[Callable[[bytes], bytes]], Scripted],
) -> None:
    def drip(_: bytes) -> bytes:
        return b"+"

    slow = scripted(drip)
    begun = time.monotonic()
    with pytest.raises(errors.EngineError):
        try_connection(tcp_target(Kind.REDIS, slow.port))
    assert time.monotonic() - begun < 3.5


def test_an_address_that_the_policy_refuses_is_not_dialled(redis_clean: RedisServer) -> None:
    for policy in (AddressPolicy(loopback=False), AddressPolicy(loopback=True, ports=((5432, 5432),))):
        with pytest.raises(errors.AddressRefused):
            try_connection(tcp_target(Kind.REDIS, redis_clean.port, policy=policy))


def test_a_postgres_behind_a_redis_registration_is_named(tcp_postgres: int) -> None:
    with pytest.raises(errors.WrongKind, match="A PostgreSQL answers"):
        try_connection(tcp_target(Kind.REDIS, tcp_postgres, username="u", password="never sent"))


def test_a_redis_behind_a_postgres_registration_is_named(redis_clean: RedisServer) -> None:
    redis_account(redis_clean, ["+@all"])
    with pytest.raises(errors.WrongKind, match="A Redis answers"):
        try_connection(tcp_target(Kind.POSTGRES, redis_clean.port, username="signalbox", password="x"))
    assert redis_clean.command("ACL", "LOG") == []


@KINDS
def test_a_web_server_is_named_and_never_given_the_password(
    kind: Kind, scripted: Callable[[Callable[[bytes], bytes]], Scripted]
) -> None:
    heard: list[bytes] = []

    def web(data: bytes) -> bytes:
        heard.append(data)
        return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

    with pytest.raises(errors.WrongKind, match="A web server answers"):
        try_connection(tcp_target(kind, scripted(web).port, username="u", password="the-password"))
    assert b"the-password" not in b"".join(heard)


@KINDS
def test_something_else_is_not_taken_for_a_database(
    kind: Kind, scripted: Callable[[Callable[[bytes], bytes]], Scripted]
) -> None:
    with pytest.raises(errors.WrongKind, match="neither Redis nor PostgreSQL"):
        try_connection(tcp_target(kind, scripted(lambda _: b"220 mail ready\r\n").port))


def test_a_redis_that_is_too_old_is_named(scripted: Callable[[Callable[[bytes], bytes]], Scripted]) -> None:
    def redis_5(data: bytes) -> bytes:
        info = b"redis_version:5.0.7\r\nrole:master\r\n"
        replies = {
            b"HELLO": b"-ERR unknown command `HELLO`\r\n",
            b"WHOAMI": b"-ERR unknown command `ACL`\r\n",
            b"INFO": b"$%d\r\n%s\r\n" % (len(info), info),
            b"DBSIZE": b":3\r\n",
            b"SETNAME": b"+OK\r\n",
            b"PING": b"+PONG\r\n",
        }
        found = sorted((data.index(word), reply) for word, reply in replies.items() if word in data)
        return b"".join(reply for _, reply in found)

    with pytest.raises(errors.TooOld, match=r"5\.0\.7"):
        try_connection(tcp_target(Kind.REDIS, scripted(redis_5).port))


def test_a_postgres_that_is_too_old_is_named(scripted: Callable[[Callable[[bytes], bytes]], Scripted]) -> None:
    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    def postgres_12(data: bytes) -> bytes:
        if data.startswith(b"\x00\x00\x00\x08\x04\xd2\x16\x2f"):
            return b"N"
        return b"".join(
            [
                message(b"R", (0).to_bytes(4, "big")),
                message(b"S", b"server_version\x0012.22\x00"),
                message(b"S", b"client_encoding\x00UTF8\x00"),
                message(b"K", b"\x00" * 8),
                message(b"Z", b"I"),
            ]
        )

    with pytest.raises(errors.TooOld, match=r"12\.22"):
        try_connection(tcp_target(Kind.POSTGRES, scripted(postgres_12).port, username="u"))


def test_a_sentinel_and_a_cluster_are_told_apart() -> None:
    from apps.servers.reads.redis_identity import _cluster_nodes, _note

    nodes = _cluster_nodes(
        b"07c3 127.0.0.1:30004@31004,host4 slave e7d1 0 1426238317239 4 connected\n"
        b"67ed 127.0.0.1:30002@31002,host2 master - 0 1426238316232 2 connected 5461-10922\n"
        b"292f 127.0.0.1:30003@31003,host3 master,fail? - 0 1426238318243 3 disconnected 10923-16383\n"
        b"e7d1 127.0.0.1:30001@31001,host1 myself,master - 0 0 1 connected 0-5460\n"
    )
    assert [(n.role, n.is_well) for n in nodes] == [
        ("replica", True),
        ("primary", True),
        ("primary", False),
        ("primary", True),
    ]
    assert _note("cluster", {}, nodes) == "A cluster: reads are per node, and this node is one of 4."
    assert "watches 2 primaries" in _note("sentinel", {"sentinel_masters": "2"}, ())


def test_every_feature_key_is_there_once() -> None:
    assert len({f.key for f in REDIS}) == len(REDIS)
    assert len({f.key for f in POSTGRES}) == len(POSTGRES)

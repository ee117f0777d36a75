"""Clients of real servers of every version: blocked, listening, watching, idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis

from apps.activity.reads.clients import ClientOrder, channels, clients, grouped, ordered
from apps.engine.errors import NotPermitted
from tests.real_servers import RedisServer
from tests.targets import redis_target

Connect = Callable[..., redis.Redis]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """`connect(server, name)`: one more client, closed when the test ends."""
    with ExitStack() as stack:

        def connected(server: RedisServer, name: str = "") -> redis.Redis:
            client = redis.Redis(
                unix_socket_path=str(server.socket), client_name=name or None, protocol=2, max_connections=1
            )
            stack.callback(client.close)
            client.ping()
            return client

        yield connected


def until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends_at, "it never happened"
        time.sleep(0.01)


def test_clients_are_told_with_name_user_and_state(each_redis: RedisServer, connect: Connect) -> None:
    connect(each_redis, "checkout")
    worker = connect(each_redis, "worker")
    waiting = threading.Thread(target=lambda: worker.blpop(["jobs"], timeout=20))
    waiting.start()
    target = redis_target(each_redis)
    until(lambda: clients(target).blocked_count == 1)
    found = clients(target)
    each_redis.command("LPUSH", "jobs", "done")
    waiting.join()

    by_name = {client.name: client for client in found.clients}
    assert by_name[b"worker"].state == "blocked"
    assert by_name[b"worker"].command == b"blpop"
    assert by_name[b"checkout"].state in ("active", "idle")
    assert by_name[b"checkout"].user == b"default"
    assert by_name[b"signalbox"].is_own
    assert found.limit_count == 10000
    assert found.rejected_count == 0
    assert found.fill_ratio == len(found.clients) / 10000
    if each_redis.version >= (7, 0, 0):
        assert (by_name[b"checkout"].memory_bytes or 0) > 0
    assert str(each_redis.socket).encode() in by_name[b"checkout"].host


def test_a_monitor_is_flagged_and_comes_first(redis_clean: RedisServer, connect: Connect) -> None:
    with connect(redis_clean, "curious").monitor():  # type: ignore[no-untyped-call]
        found = clients(redis_target(redis_clean))
    assert [client.is_monitor for client in ordered(found.clients, ClientOrder.WORST)][:2] == [True, False]
    assert len(found.monitors) == 1


def test_clients_of_one_name_are_one_group(redis_clean: RedisServer, connect: Connect) -> None:
    for _ in range(3):
        connect(redis_clean, "basket")
    connect(redis_clean, "mailer")
    groups = grouped(clients(redis_target(redis_clean)).clients)
    assert (groups[0].name, groups[0].clients_count) == (b"basket", 3)
    assert {group.name for group in groups} >= {b"mailer", b"signalbox"}


@pytest.mark.parametrize("order", list(ClientOrder))
def test_every_order_keeps_every_client(redis_clean: RedisServer, connect: Connect, order: ClientOrder) -> None:
    connect(redis_clean, "b")
    connect(redis_clean, "a")
    found = clients(redis_target(redis_clean)).clients
    assert sorted(c.id for c in ordered(found, order)) == sorted(c.id for c in found)
    if order is ClientOrder.NAME:
        names = [client.name for client in ordered(found, order)]
        assert names == sorted(names)


def test_channels_are_counted_busiest_first(each_redis: RedisServer, connect: Connect) -> None:
    target = redis_target(each_redis)
    assert (channels(target).channels, channels(target).channels_count) == ((), 0)
    listeners = [connect(each_redis, f"listener-{n}").pubsub() for n in range(2)]  # type: ignore[no-untyped-call]
    for listener in listeners:
        listener.subscribe("orders")
        listener.get_message(timeout=5)
    listeners[0].subscribe(b"\xff<b>odd")
    listeners[0].psubscribe("mail.*")
    until(lambda: channels(target).patterns_count == 1 and channels(target).channels_count == 2)
    found = channels(target)
    for listener in listeners:
        listener.close()
    assert [(channel.name, channel.subscribers_count) for channel in found.channels] == [
        (b"orders", 2),
        (b"\xff<b>odd", 1),
    ]


def test_an_account_without_the_right_is_told_the_rule(redis_clean: RedisServer) -> None:
    redis_clean.command("ACL", "SETUSER", "nobody", "on", ">pw", "-@all", "+ping", "+info")
    target = redis_target(redis_clean, username="nobody", password="pw")
    with pytest.raises(NotPermitted) as refused:
        clients(target)
    assert refused.value.missing == "+client|list"


def test_an_account_without_config_still_reads_the_clients(redis_clean: RedisServer) -> None:
    redis_clean.command("ACL", "SETUSER", "watcher", "on", ">pw", "-@all", "+info", "+client|list")
    found = clients(redis_target(redis_clean, username="watcher", password="pw"))
    assert any(client.user == b"watcher" for client in found.clients)
    assert found.timeout_s is None


def test_looking_disturbs_no_client(redis_clean: RedisServer, connect: Connect) -> None:
    named = connect(redis_clean, "steady")
    before = named.client_id()
    clients(redis_target(redis_clean))
    channels(redis_target(redis_clean))
    assert named.client_id() == before
    assert redis_clean.command("DBSIZE") == 0


def test_the_documented_rights_are_enough(redis_clean: RedisServer) -> None:
    rules = ("+client|setname", "+info", "+client|list", "+config|get", "+pubsub|channels", "+pubsub|numsub")
    redis_clean.command("ACL", "SETUSER", "watcher", "on", ">pw", "&*", "-@all", *rules)
    target = redis_target(redis_clean, username="watcher", password="pw")
    redis_clean.command("ACL", "LOG", "RESET")
    clients(target)
    channels(target)
    assert redis_clean.command("ACL", "LOG") == []

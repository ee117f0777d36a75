"""One setting is changed and set back; those that could do harm cannot even be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.engine.connections.redis import redis_node
from apps.engine.contracts.action import Refused
from apps.engine.errors import Unsupported
from apps.operations.planning import content_of
from apps.upkeep.settable import POLICIES, SETTABLE, parsed
from tests.operations.door import Door, OpenDoor, actor_for, register_redis
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer
from tests.upkeep.conftest import redis_target

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_folders")]
KEY = "upkeep.config_set"
LEN = "slowlog-max-len"


def settings(server: RedisServer) -> dict[bytes, bytes]:
    with redis_node(redis_target(server)) as node:
        flat = node.command("CONFIG", "GET", "*")
    return dict(zip(flat[::2], flat[1::2], strict=True))


def put(server: RedisServer, name: str, value: str) -> None:
    server.command("CONFIG", "SET", name, value)


def value_of(server: RedisServer, name: str) -> str:
    return settings(server)[name.encode()].decode()


def _prepare(server: RedisServer) -> dict[str, str]:
    put(server, LEN, "128")
    return {"name": LEN, "value": "256"}


SCENARIO = Scenario(prepare=_prepare, changed=lambda server: value_of(server, LEN) == "256")


@pytest.fixture
def restored(each_redis: RedisServer) -> Iterator[RedisServer]:
    """As it was, whatever a test sets."""
    before = settings(each_redis)
    yield each_redis
    for name in SETTABLE:
        if name.encode() in before:
            put(each_redis, name, before[name.encode()].decode())


def at(server: RedisServer, operator: Operator) -> Door:
    return Door(actor=actor_for(operator), server=register_redis(server))


EXAMPLES = {
    "maxmemory": "512mb", "maxmemory-policy": "allkeys-lfu", "notify-keyspace-events": "KEA", "maxmemory-samples": "7",
    "slowlog-log-slower-than": "12345", "slowlog-max-len": "200", "latency-monitor-threshold": "50", "timeout": "600",
    "tcp-keepalive": "60", "hz": "20", "acllog-max-len": "64", "list-max-listpack-size": "-3", "list-max-ziplist-size": "-3",
    "list-compress-depth": "1", "stream-node-max-bytes": "8192", "stream-node-max-entries": "50",
}  # fmt: skip


def example(name: str, now: str) -> str:
    return EXAMPLES.get(name) or {"yes": "no", "no": "yes"}.get(now) or "99"


@pytest.mark.parametrize("name", sorted(SETTABLE))
def test_every_setting_of_the_list_is_set_and_set_back(name: str, restored: RedisServer, alice: Operator) -> None:
    before = settings(restored)
    door = at(restored, alice)
    if name.encode() not in before:
        with pytest.raises(Unsupported, match="no setting"):
            door.plans(KEY, name=name, value=example(name, ""))
        return
    if name == "activedefrag":
        pytest.skip("allocators without it refuse it; tried below")
    run = door.does(KEY, name=name, value=example(name, before[name.encode()].decode()))
    assert run.state == "done", run.outcome
    now = settings(restored)
    touched = {each.decode() for each in before if now[each] != before[each]}
    same = {name, name.replace("listpack", "ziplist"), name.replace("ziplist", "listpack")}  # two names of one setting
    assert touched and touched <= same
    assert door.does(f"{KEY}.undo", run=run.pk).state == "done"
    assert settings(restored) == before


def test_what_the_server_refuses_is_told_and_nothing_is_changed(restored: RedisServer, alice: Operator) -> None:
    before = settings(restored)
    value = example("activedefrag", before[b"activedefrag"].decode())
    run = at(restored, alice).does(KEY, name="activedefrag", value=value)
    if run.state == "done":
        assert value_of(restored, "activedefrag") == value
    else:
        assert run.state == "failed" and settings(restored) == before


HARMFUL = (
    "dir", "dbfilename", "requirepass", "masterauth", "masteruser", "aclfile", "bind", "bind-source-addr", "port", "unixsocket",
    "unixsocketperm", "loadmodule", "enable-debug-command", "enable-module-command", "enable-protected-configs", "protected-mode",
    "logfile", "pidfile", "tls-port", "tls-cert-file", "tls-key-file", "appenddirname", "appendfilename", "appendonly", "save",
    "replica-announce-ip", "slaveof", "replicaof", "maxclients", "databases", "cluster-config-file", "rename-command",
    "oom-score-adj", "server_cpulist", "proc-title-template", "syslog-enabled", "*", "maxmemory hz", "MAXMEMORY", "", "hz\r\nFLUSHALL",
)  # fmt: skip


@pytest.mark.parametrize("name", HARMFUL)
def test_what_could_write_a_file_or_lock_somebody_out_is_never_sent(
    name: str, redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    before = settings(redis_clean)
    redis_clean.command("CONFIG", "RESETSTAT")
    with pytest.raises(Refused, match="not changed from here"):
        door(alice).plans(KEY, name=name, value="/tmp/x")
    assert "cmdstat_config|set" not in redis_clean.command("INFO", "commandstats")
    assert settings(redis_clean) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maxmemory", "12parsecs"), ("maxmemory", "-1"), ("maxmemory", "1"), ("maxmemory", "9" * 30), ("hz", "0"), ("hz", "1e3"),
        ("hz", "10\nsave"), ("maxmemory-policy", "random"), ("activedefrag", "maybe"), ("notify-keyspace-events", "Q"),
        ("timeout", "-1"), ("slowlog-max-len", ""), ("tcp-keepalive", "٣"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused_with_what_it_takes(
    name: str, value: str, redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    before = settings(redis_clean)
    with pytest.raises(Refused, match="takes") as refused:
        door(alice).plans(KEY, name=name, value=value)
    assert refused.value.field == "value"
    assert settings(redis_clean) == before


@pytest.mark.parametrize(
    ("value", "sent"),
    [("4gb", "4294967296"), ("1M", "1000000"), (" 512 MB ", "536870912"), ("0", "0"), ("2097152", "2097152")],
)
def test_sizes_are_read_as_a_redis_reads_them(value: str, sent: str, redis_clean: RedisServer) -> None:
    if sent == "1000000":
        with pytest.raises(Refused):
            parsed("maxmemory", value)
        return
    assert parsed("maxmemory", value) == sent
    put(redis_clean, "maxmemory", value.strip().replace(" ", ""))
    assert value_of(redis_clean, "maxmemory") == sent
    put(redis_clean, "maxmemory", "0")


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_of_the_list_is_one_that_servers_know(policy: str, each_redis: RedisServer) -> None:
    put(each_redis, "maxmemory-policy", policy)
    assert value_of(each_redis, "maxmemory-policy") == policy
    put(each_redis, "maxmemory-policy", "noeviction")


def test_a_setting_that_moved_since_the_plan_is_left_alone(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    put(redis_clean, LEN, "128")
    opened = door(alice)
    plan = opened.plans(KEY, name=LEN, value="512")
    put(redis_clean, LEN, "300")
    run = opened.carries_out(opened.submits(plan))
    assert run.state == "failed" and "Nothing was done" in run.outcome
    assert value_of(redis_clean, LEN) == "300"


def test_an_undo_leaves_what_somebody_set_since(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    put(redis_clean, LEN, "128")
    opened = door(alice)
    run = opened.does(KEY, name=LEN, value="256")
    put(redis_clean, LEN, "300")
    assert "changed since" in str(content_of(opened.plans(f"{KEY}.undo", run=run.pk)).blocked)
    assert value_of(redis_clean, LEN) == "300"


@pytest.mark.parametrize(
    ("policy", "words"), [("noeviction", "writes are refused"), ("allkeys-lru", "evicted at once")]
)
def test_a_limit_below_what_is_used_says_what_follows(
    policy: str, words: str, each_redis: RedisServer, alice: Operator
) -> None:
    put(each_redis, "maxmemory-policy", policy)
    for n in range(2000):
        each_redis.command("SET", f"k:{n}", "v" * 2000)
    door = at(each_redis, alice)
    said = content_of(door.plans(KEY, name="maxmemory", value="2mb"))
    assert words in str(said.warnings)
    assert not content_of(door.plans(KEY, name="maxmemory", value="4gb")).warnings
    assert each_redis.command("DBSIZE") == 2000


def test_a_policy_that_evicts_says_so_before_where_the_limit_is_passed(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    for n in range(2000):
        redis_clean.command("SET", f"k:{n}", "v" * 2000)
    put(redis_clean, "maxmemory", "2mb")
    said = content_of(door(alice).plans(KEY, name="maxmemory-policy", value="allkeys-random"))
    assert "evicted at once" in str(said.warnings) and "of 2,000 keys" in str(said.warnings)
    assert redis_clean.command("DBSIZE") == 2000


def test_a_value_that_it_has_already_is_no_change(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    put(redis_clean, LEN, "128")
    assert content_of(door(alice).plans(KEY, name=LEN, value="128")).blocked


def test_the_form_begins_with_the_value_as_it_is_and_keeps_what_was_typed(
    redis_clean: RedisServer, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    put(redis_clean, LEN, "135")
    register_redis(redis_clean)
    client = as_operator(alice)
    page = client.get(f"/servers/cache/do/{KEY}/", {"name": LEN}).content.decode()
    assert 'value="135"' in page
    answer = client.post(f"/servers/cache/do/{KEY}/", {"name": LEN, "node": "", "value": "many"})
    assert answer.status_code == 422
    assert "takes a whole number" in answer.content.decode() and 'value="many"' in answer.content.decode()

"""One client of a Redis is ended: the one that was chosen, and no other, whatever a restart made of its number."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from apps.accounts.models import Operator
from apps.activity.identity import ClientRef
from apps.activity.reads.clients import parsed
from apps.engine.connections import redis as connections
from apps.engine.contracts.action import Refused
from apps.engine.embedded.place import free_port
from apps.engine.embedded.redis import EmbeddedRedis
from apps.engine.errors import EngineError, Gone, NotPermitted
from apps.engine.target import Profile
from apps.operations.planning import content_of
from apps.servers.capabilities import REDIS
from apps.servers.models import Credential
from tests.activity.held import eventually
from tests.operations.door import Door, actor_for, register_redis
from tests.operations.scenario import Scenario, redis_digest
from tests.real_servers import RedisServer, connected

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "activity.kill_client"
HOSTILE = "<script>x</script>'\"&%2e"
HELD = ExitStack()
RULES = {feature.key: feature for feature in REDIS}


def begin(server: RedisServer, name: str, stack: ExitStack, **account: Any) -> Any:
    """A client that stays; it does not connect again by itself."""
    client: Any = redis.Redis(
        unix_socket_path=str(server.socket), client_name=name, protocol=2, max_connections=1, **account
    )
    stack.callback(client.close)
    client.ping()
    return client


def named(server: RedisServer, name: str) -> Any:
    """The client of this name, None where there is none."""
    listed = parsed(server.command("CLIENT", "LIST"))
    return next((client for client in listed if client.name == name.encode()), None)


def ref(server: RedisServer, name: str) -> bytes:
    """As a button of the page names it."""
    client = named(server, name)
    return ClientRef(id=client.id, address=client.address).text


def flagged(server: RedisServer, flag: str) -> Any:
    return next((client for client in parsed(server.command("CLIENT", "LIST")) if flag in client.flags), None)


def there(server: RedisServer) -> list[int]:
    return sorted(c.id for c in parsed(server.command("CLIENT", "LIST")) if c.name.startswith(b"app-"))


def _prepare(server: RedisServer) -> dict[str, Any]:
    for name in ("app-worker", "app-beside"):
        begin(server, name, HELD)
    return {"client": ref(server, "app-worker")}


def _changed(server: RedisServer) -> bool:
    return named(server, "app-worker") is None and named(server, "app-beside") is not None


SCENARIO = Scenario(
    prepare=_prepare,
    changed=_changed,
    state=lambda server: (there(server), redis_digest(server)),
    clean=lambda _: HELD.close(),
)

Begin = Callable[..., Any]


@pytest.fixture
def people() -> Iterator[Begin]:
    connections.forget_connections()
    with ExitStack() as stack:
        yield lambda server, name, **account: begin(server, name, stack, **account)


@pytest.fixture
def door(each_redis: RedisServer, alice: Operator, private_folders: None) -> Door:
    return Door(actor=actor_for(alice), server=register_redis(each_redis))


def test_the_client_is_gone_and_its_neighbours_stay(each_redis: RedisServer, people: Begin, door: Door) -> None:
    people(each_redis, "app-beside")
    gone = people(each_redis, "app-<script>")
    before = there(each_redis)
    mine = gone.client_id()
    run = door.does(KEY, client=ref(each_redis, "app-<script>"))
    assert run.state == "done", run.outcome
    assert there(each_redis) == [each for each in before if each != mine]
    sent = [line["words"] for line in run.progress["commands"]]
    assert any(words.startswith("CLIENT KILL ID") and "ADDR" in words and "SKIPME yes" in words for words in sent)


def test_a_transaction_is_told_and_dropped(each_redis: RedisServer, people: Begin, door: Door) -> None:
    client = people(each_redis, "app-multi")
    connection = client.connection_pool.get_connection()
    for words in (("CLIENT", "SETNAME", "app-queues"), ("MULTI",), ("SET", "a", "1"), ("SET", "b", "1")):
        connection.send_command(*words)
        connection.read_response()
    plan = door.plans(KEY, client=ref(each_redis, "app-queues"))
    said = content_of(plan)
    assert {f.label: f.amount.value for f in said.figures}["Queued commands dropped"] == 2
    assert "MULTI" in str(said.facts)
    assert door.carries_out(door.submits(plan)).state == "done"
    assert each_redis.command("EXISTS", "a", "b") == 0
    connection.disconnect()


def test_what_a_blocked_client_waited_for_stays(each_redis: RedisServer, people: Begin, door: Door) -> None:
    client = people(each_redis, "app-worker")
    failed: list[Exception] = []

    def wait() -> None:
        try:
            client.blpop(["jobs"], timeout=20)
        except redis.exceptions.RedisError as error:
            failed.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    eventually(lambda: named(each_redis, "app-worker") and named(each_redis, "app-worker").is_blocked)
    said = content_of(door.plans(KEY, client=ref(each_redis, "app-worker")))
    assert "blocked" in str(said.facts)
    assert door.does(KEY, client=ref(each_redis, "app-worker")).state == "done"
    each_redis.command("RPUSH", "jobs", "one")
    waiting.join(timeout=30)
    eventually(lambda: each_redis.command("LLEN", "jobs") in (0, 1))
    assert not waiting.is_alive()


def test_a_subscriber_is_told_how_much_it_hears(each_redis: RedisServer, people: Begin, door: Door) -> None:
    listening = people(each_redis, "app-listens").pubsub()
    listening.subscribe("news", "weather")
    eventually(lambda: (c := named(each_redis, "app-listens")) and c.subscriptions_count == 2)
    said = content_of(door.plans(KEY, client=ref(each_redis, "app-listens")))
    assert {f.label: f.amount.value for f in said.figures}["Subscriptions ended"] == 2
    listening.close()


def test_one_that_left_by_itself_is_told(each_redis: RedisServer, people: Begin, door: Door) -> None:
    leaving = people(each_redis, "app-leaves")
    chosen = ref(each_redis, "app-leaves")
    plan = door.plans(KEY, client=chosen)
    leaving.close()
    eventually(lambda: named(each_redis, "app-leaves") is None)
    run = door.carries_out(door.submits(plan))
    assert run.state == "failed" and "Nothing was done" in run.outcome
    with pytest.raises(Gone, match="left by itself"):
        door.plans(KEY, client=chosen)


def test_the_number_alone_is_not_enough(each_redis: RedisServer, people: Begin, door: Door) -> None:
    people(each_redis, "app-other")
    client = named(each_redis, "app-other")
    with pytest.raises(Gone, match="left by itself"):
        door.plans(KEY, client=ClientRef(id=client.id, address=b"192.0.2.1:5000").text)
    assert named(each_redis, "app-other")


def test_a_restart_between_plan_and_run_voids_it(
    each_redis: RedisServer, alice: Operator, private_folders: None, tmp_path: Path, people: Begin
) -> None:
    """Numbers begin again after a restart, and by a unix socket all addresses are the same."""
    embedded = EmbeddedRedis(each_redis.embedded.binary, tmp_path / "s", port=free_port())
    with embedded:
        server = connected(embedded)
        people(server, "app-first")
        chosen = ClientRef.of(ref(server, "app-first"))
        at = Door(actor=actor_for(alice), server=register_redis(server))
        plan = at.plans(KEY, client=chosen.text)
        server.client.close()
        embedded.stop()
        embedded.start()
        server = connected(embedded)
        for number in range(40):
            people(server, f"app-{number}")
        assert chosen.id in there(server), "another has its number"
        run = at.carries_out(at.submits(plan))
        assert run.state == "failed" and "Start of the server" in run.outcome
        assert chosen.id in there(server)
        server.client.close()


def test_the_consoles_own_connections_are_refused(each_redis: RedisServer, people: Begin, door: Door) -> None:
    people(each_redis, "signalbox")
    with pytest.raises(Refused, match="of this console"):
        door.plans(KEY, client=ref(each_redis, "signalbox"))
    assert named(each_redis, "signalbox")


def test_who_only_takes_the_consoles_name_is_not_spared(each_redis: RedisServer, people: Begin, door: Door) -> None:
    each_redis.command("ACL", "SETUSER", "pretender", "on", ">pw", "~*", "+@all")
    own = {client.id for client in parsed(each_redis.command("CLIENT", "LIST")) if client.name == b"signalbox"}
    people(each_redis, "signalbox", username="pretender", password="pw")
    client = next(c for c in parsed(each_redis.command("CLIENT", "LIST")) if c.user == b"pretender" and c.id not in own)
    chosen = ClientRef(id=client.id, address=client.address).text
    assert "another user" in str(content_of(door.plans(KEY, client=chosen)).warnings)
    assert door.does(KEY, client=chosen).state == "done"


def test_replicas_and_primaries_are_refused(
    each_redis: RedisServer, alice: Operator, private_folders: None, tmp_path: Path
) -> None:
    settings = {"replicaof": f"127.0.0.1 {each_redis.port}"}
    with EmbeddedRedis(each_redis.embedded.binary, tmp_path / "replica", settings=settings) as embedded:
        replica = connected(embedded)
        eventually(lambda: replica.command("INFO", "replication")["master_link_status"] == "up")
        for server, key, word in ((each_redis, "cache", "a replica"), (replica, "copy", "the link to the primary")):
            flag = "S" if server is each_redis else "M"
            client = eventually(partial(flagged, server, flag))
            at = Door(actor=actor_for(alice), server=register_redis(server, key=key))
            with pytest.raises(Refused, match=word):
                at.plans(KEY, client=ClientRef(id=client.id, address=client.address).text)
        replica.client.close()


def test_the_documented_rules_are_enough(
    each_redis: RedisServer, people: Begin, alice: Operator, private_folders: None
) -> None:
    at = Door(actor=actor_for(alice), server=register_redis(each_redis))
    rules = [rule for key in ("connect", "activity.kill") for rule in RULES[key].rules(each_redis.version[:2])]
    account = ("ACL", "SETUSER", "signalbox", "reset", "on", ">pw")
    each_redis.command(*account, *rules)
    Credential.objects.keep(at.server, Profile.OPERATE, username="signalbox", password="pw")
    people(each_redis, "app-worker")
    assert at.does(KEY, client=ref(each_redis, "app-worker")).state == "done"
    assert named(each_redis, "app-worker") is None
    people(each_redis, "app-again")
    each_redis.command(*account, *(rule for rule in rules if rule != "+client|kill"))
    connections.forget_connections()
    run = at.does(KEY, client=ref(each_redis, "app-again"))
    assert run.state == "failed" and "+client|kill" in run.outcome
    each_redis.command(*account, *(rule for rule in rules if rule != "+client|list"))
    connections.forget_connections()
    with pytest.raises(NotPermitted):
        at.plans(KEY, client=ref(each_redis, "app-again"))
    assert named(each_redis, "app-again")


@pytest.mark.parametrize("text", [b"", b"x", b"1", b"1 ", b"-1 a", b"9" * 19 + b" a", b"\xff 1"])
def test_what_names_no_client_is_refused(
    redis_clean: RedisServer, alice: Operator, private_folders: None, text: bytes
) -> None:
    at = Door(actor=actor_for(alice), server=register_redis(redis_clean))
    with pytest.raises(EngineError):
        at.plans(KEY, client=text)

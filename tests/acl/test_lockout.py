"""No click locks the console out; what clients without a sign-in, replicas and Sentinels need is asked for by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.acl import lockout
from apps.engine.connections import redis as connections
from apps.engine.contracts.action import Refused
from apps.engine.target import Profile
from apps.operations.planning import content_of
from apps.servers.models import Credential, Server
from tests.acl.users import CONSOLE, OLD, another_node, console_account, eventually, lines, make, register
from tests.operations.door import Door, actor_for
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
ASKED: dict[str, dict[str, Any]] = {
    "acl.change_user": {"rules": "+@all ~*"},
    "acl.disable_user": {},
    "acl.enable_user": {},
    "acl.delete_user": {},
}
MEANT: dict[str, dict[str, Any]] = {
    "acl.change_user": {"default_too": True, "replication_too": True},
    "acl.disable_user": {"default_too": True, "replication_too": True},
    "acl.enable_user": {},
    "acl.delete_user": {"replication_too": True},
}
TAKING = ("acl.change_user", "acl.disable_user", "acl.delete_user")


@pytest.fixture(autouse=True)
def _no_idle_connections() -> Iterator[None]:
    yield
    connections.forget_connections()


@pytest.mark.parametrize("profile", [profile.value for profile in Profile])
@pytest.mark.parametrize("key", sorted(ASKED))
def test_no_account_of_the_console_is_changed_whatever_is_meant(
    each_redis: RedisServer, alice: Operator, private_folders: None, key: str, profile: str
) -> None:
    console_account(each_redis)
    make(each_redis, "own", "~*", "+@all", password=CONSOLE)
    accounts = {"monitor": "console"} | {profile: "own"}
    server = register(each_redis, **accounts)
    before = lines(each_redis)
    with pytest.raises(Refused, match="could lock it out"):
        Door(actor=actor_for(alice), server=server).plans(key, name=b"own", **ASKED[key], **MEANT[key])
    assert lines(each_redis) == before


@pytest.mark.parametrize("key", sorted(ASKED))
def test_the_default_user_is_the_consoles_own_where_it_signs_in_without_a_name(
    redis_clean: RedisServer, alice: Operator, private_folders: None, key: str
) -> None:
    before = lines(redis_clean)
    at = Door(actor=actor_for(alice), server=register(redis_clean))
    with pytest.raises(Refused, match=r"could lock it out|cannot be deleted"):
        at.plans(key, name=b"default", **ASKED[key], **MEANT[key])
    assert lines(redis_clean) == before


def test_an_account_of_another_registered_server_at_the_same_node_is_the_consoles_own_too(
    redis_clean: RedisServer, alice: Operator, private_folders: None
) -> None:
    console_account(redis_clean)
    make(redis_clean, "other-console", "~*", "+@all", password=CONSOLE)
    server = register(redis_clean, monitor="console")
    register(redis_clean, key="the-same", monitor="other-console")
    with pytest.raises(Refused, match="could lock it out"):
        Door(actor=actor_for(alice), server=server).plans("acl.delete_user", name=b"other-console")


def test_the_name_by_which_the_server_knows_the_console_counts_also_where_it_is_registered_otherwise(
    redis_clean: RedisServer, private_folders: None
) -> None:
    server = register(redis_clean)
    assert lockout.own_names(server.target()) == {b"default"}
    Credential.objects.keep(server, Profile.ADMIN, username="nobody-yet", password="wrong")
    server = Server.objects.get(pk=server.pk)
    assert {b"nobody-yet"} <= lockout.own_names(server.target()), "also one that cannot sign in now"


def test_an_account_that_becomes_the_consoles_own_after_the_plan_stops_the_run(
    redis_clean: RedisServer, alice: Operator, private_folders: None
) -> None:
    console_account(redis_clean)
    make(redis_clean, "app", "~*", "+@all", password=CONSOLE)
    server = register(redis_clean, monitor="console")
    at = Door(actor=actor_for(alice), server=server)
    plan = at.plans("acl.delete_user", name=b"app")
    Credential.objects.keep(server, Profile.BACKUP, username="app", password=CONSOLE)
    before = lines(redis_clean)
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "could lock it out" in run.outcome
    assert lines(redis_clean) == before


def test_an_undo_that_would_touch_the_consoles_own_account_is_refused(
    redis_clean: RedisServer, alice: Operator, private_folders: None
) -> None:
    console_account(redis_clean)
    server = register(redis_clean, monitor="console")
    at = Door(actor=actor_for(alice), server=server)
    run = at.does("acl.create_user", name=b"ops", rules="~* +@all", password=CONSOLE)
    Credential.objects.keep(server, Profile.ADMIN, username="ops", password=CONSOLE)
    with pytest.raises(Refused, match="could lock it out"):
        at.plans("acl.create_user.undo", run=run.pk)


# -- default -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("passwords", ["none", "nopass", "replace", "add"])
def test_another_sign_in_of_default_asks_for_consent(
    redis_clean: RedisServer, alice: Operator, private_folders: None, passwords: str
) -> None:
    at = Door(actor=actor_for(alice), server=register(redis_clean, monitor=console_account(redis_clean)))
    typed = {"password": OLD} if passwords in ("replace", "add") else {}
    asked = {"name": b"default", "rules": "~* +@all", "passwords": passwords, **typed}
    with pytest.raises(Refused, match="client") as refused:
        at.plans("acl.change_user", **asked)
    assert refused.value.field == "default_too"
    assert not content_of(at.plans("acl.change_user", **asked, default_too=True)).blocked


def test_consent_is_asked_by_the_run_as_well(
    redis_clean: RedisServer, alice: Operator, private_folders: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the plan had not asked: the run refuses by itself."""
    at = Door(actor=actor_for(alice), server=register(redis_clean, monitor=console_account(redis_clean)))
    before = lines(redis_clean)
    with monkeypatch.context() as patched:
        patched.setattr(lockout, "check_default", lambda *given, **named: None)
        plan = at.plans("acl.disable_user", name=b"default")
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "does not sign in" in run.outcome
    assert lines(redis_clean) == before


# -- replicas and Sentinel ---------------------------------------------------------------------------------------------


def refused_as_trusted(at: Door, key: str, name: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        at.plans(key, name=name, **ASKED[key])
    assert refused.value.field == "replication_too"
    assert not content_of(at.plans(key, name=name, **ASKED[key], replication_too=True)).blocked


@pytest.mark.parametrize("key", TAKING)
def test_the_user_of_masteruser_on_any_node_asks_for_consent(
    redis_clean: RedisServer, alice: Operator, private_folders: None, tmp_path: Path, key: str
) -> None:
    with another_node(redis_clean, tmp_path / "second", masteruser="replica") as second:
        for node in (redis_clean, second):
            make(node, "replica", "+psync", "+replconf", "+ping")
        at = Door(actor=actor_for(alice), server=register(redis_clean, second))
        refused_as_trusted(at, key, b"replica", "masteruser")


@pytest.mark.parametrize("key", TAKING)
def test_the_user_that_a_replica_is_signed_in_as_asks_for_consent(
    redis_clean: RedisServer, alice: Operator, private_folders: None, tmp_path: Path, key: str
) -> None:
    make(redis_clean, "replica", "+psync", "+replconf", "+ping")
    settings = {"replicaof": f"127.0.0.1 {redis_clean.port}", "masteruser": "replica", "masterauth": OLD}
    with another_node(redis_clean, tmp_path / "second", **settings):
        eventually(lambda: b"user=replica" in redis_clean.command("CLIENT", "LIST", "TYPE", "replica"))
        at = Door(actor=actor_for(alice), server=register(redis_clean))
        refused_as_trusted(at, key, b"replica", "A replica is connected")


@pytest.mark.parametrize("key", TAKING)
def test_the_user_that_sentinel_is_signed_in_as_asks_for_consent(
    redis_clean: RedisServer, alice: Operator, private_folders: None, key: str
) -> None:
    from redis import Redis

    make(redis_clean, "watcher", "~*", "+@all")
    sentinel = Redis(
        unix_socket_path=str(redis_clean.socket), username="watcher", password=OLD, client_name="sentinel-1a2b3c4d-cmd"
    )
    sentinel.ping()
    at = Door(actor=actor_for(alice), server=register(redis_clean))
    refused_as_trusted(at, key, b"watcher", "Sentinel is connected")
    sentinel.close()

"""A Redis is backed up over the replication stream: what was taken is loaded by a real server and is the same."""

from __future__ import annotations

import pytest
from django.conf import settings

from apps.accounts.models import Operator
from apps.backups import folder
from apps.operations.planning import content_of
from tests.backups.kept import only_backup, whole
from tests.operations.door import Door, OpenDoor, actor_for, outcome_of, register_redis
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "backups.take_rdb"


def _prepare(server: RedisServer) -> dict[str, object]:
    server.command("SET", "cart:1", "three apples")
    return {}


def _changed(server: RedisServer) -> bool:
    return only_backup("cache").problem == ""


SCENARIO = Scenario(prepare=_prepare, changed=_changed)


def test_what_was_taken(each_redis: RedisServer, alice: Operator, private_folders: None) -> None:
    each_redis.command("SET", "a", "1")
    run = Door(actor=actor_for(alice), server=register_redis(each_redis)).does(KEY)
    print(outcome_of(run), run.progress)
    assert run.state == "done"
    print(only_backup("cache").manifest)
    assert whole(only_backup("cache"), "dump.rdb").startswith(b"REDIS")

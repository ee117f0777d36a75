"""The one door, used as the pages use it: a plan, what the environment asks for, the button, and the run to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import Operator
from apps.engine.contracts.plan import Outcome
from apps.operations import append_only, execution, planning
from apps.operations.actor import Actor
from apps.operations.catalogue import action_for
from apps.operations.guard import Given
from apps.operations.models import Plan, Run
from apps.operations.stored import from_json
from apps.servers.models import Server
from tests.real_servers import PostgresDatabase, RedisServer


def actor_for(operator: Operator, *, fresh: bool = True, session: str = "s" * 64) -> Actor:
    return Actor(
        operator=operator,
        session=session,
        address="198.51.100.7",
        fresh_until=timezone.now() + timedelta(minutes=5) if fresh else None,
        proofs=("password",),
        request_id="r" * 32,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One operator at one server. `does` goes all the way, with everything an environment may ask for."""

    actor: Actor
    server: Server

    def plans(self, key: str, **params: Any) -> Plan:
        action = action_for(key)
        return planning.make_plan(self.actor, action, self.server, action.params(**params))

    def submits(self, plan: Plan, *, reason: str = "ticket 4711: it has to go", name: str | None = None) -> Run:
        given = Given(reason=reason, name=self.server.key if name is None else name)
        return execution.submit(self.actor, plan, given).run

    def carries_out(self, run: Run) -> Run:
        """As a worker does."""
        execution.execute(run.pk)
        run.refresh_from_db()
        return run

    def does(self, key: str, **params: Any) -> Run:
        plan = self.plans(key, **params)
        if plan.state == "waiting":
            planning.plan_in_background(plan.pk)
            plan.refresh_from_db()
        assert plan.state == "ready", plan.error
        return self.carries_out(self.submits(plan))


def outcome_of(run: Run) -> Outcome:
    return from_json(Outcome, run.outcome)


def register_redis(redis: RedisServer, *, key: str = "cache", environment: str = "dev", **fields: Any) -> Server:
    return Server.objects.create(
        key=key,
        kind="redis",
        environment=environment,
        addresses=[{"host": str(redis.socket), "port": 6379}],
        load_budget_ratio=fields.pop("load_budget_ratio", 1.0),
        **fields,
    )


def register_postgres(
    database: PostgresDatabase, *, key: str = "shop", environment: str = "dev", **fields: Any
) -> Server:
    server = Server.objects.create(
        key=key,
        kind="postgres",
        environment=environment,
        addresses=[{"host": str(database.server.socket_dir), "port": database.server.port}],
        database=database.name,
        **fields,
    )
    server.credentials.create(profile="monitor", username=database.server.admin_user)
    return server


@pytest.fixture
def private_folders(settings: Settings, tmp_path: Path) -> None:
    settings.ARCHIVE_FOLDER = tmp_path / "archives"
    settings.BACKUP_FOLDER = tmp_path / "backups"
    settings.AUDIT_ANCHOR_FILES = [tmp_path / "anchors.jsonl"]


@pytest.fixture
def append_only_audit(transactional_db: None) -> Iterator[None]:
    """The triggers that production has. Other tests do without: they empty their tables at the end."""
    from django.db import connection

    append_only.install(connection)
    yield
    append_only.remove(connection)


OpenDoor = Callable[..., Door]


@pytest.fixture
def door(redis_clean: RedisServer, private_folders: None) -> OpenDoor:
    """`door(alice, environment="prod")`: an operator at a registered Redis."""

    def opened(operator: Operator, *, server: Server | None = None, fresh: bool = True, **fields: Any) -> Door:
        return Door(actor=actor_for(operator, fresh=fresh), server=server or register_redis(redis_clean, **fields))

    return opened

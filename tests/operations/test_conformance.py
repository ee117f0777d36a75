"""What every action does, whatever it does: each is tried by the scenario beside its own tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from apps.accounts.models import Operator, Role, ScopeKind
from apps.accounts.permissions import TABLE, Need
from apps.engine.contracts.action import AnyAction, Refused
from apps.operations import execution, planning, reaping
from apps.operations.catalogue import action_for, actions
from apps.operations.guard import Given
from apps.operations.models import AuditEntry, LogLine, Message, Plan, Run
from apps.operations.planning import content_of
from apps.servers.models import Server
from tests.conftest import grant, person
from tests.operations.collected import own_actions, scenario_of
from tests.operations.door import Door, actor_for, outcome_of, register_postgres, register_redis
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
KEYS = sorted(own_actions())


class Tried:
    """An action on a furnished server."""

    def __init__(self, key: str, place: Any, server: Server, operator: Operator) -> None:
        self.action: AnyAction = action_for(key)
        self.scenario = scenario_of(self.action)
        self.place, self.server = place, server
        self.params = dict(self.scenario.prepare(place))
        self.door = Door(actor=actor_for(operator), server=server)

    def plan(self) -> Plan:
        plan = self.door.plans(self.action.key, **self.params)
        if plan.state == "waiting":
            planning.plan_in_background(plan.pk)
            plan.refresh_from_db()
        assert plan.state == "ready", plan.error
        return plan


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Any:
    kind = action_for(request.node.callspec.params["key"]).kind
    return request.getfixturevalue("redis_clean" if kind == "redis" else "postgres_database")


@pytest.fixture
def tried(key: str, place: Any, alice: Operator, private_folders: None) -> Iterator[Tried]:
    register = register_redis if isinstance(place, RedisServer) else register_postgres
    made = Tried(key, place, register(place), alice)
    yield made
    made.scenario.clean(place)


@pytest.mark.parametrize("key", KEYS)
def test_a_plan_changes_nothing_and_says_what_would(key: str, tried: Tried) -> None:
    before = tried.scenario.state(tried.place)
    said = content_of(tried.plan())
    assert tried.scenario.state(tried.place) == before
    assert said.effect and not said.blocked and said.commands and (said.figures or said.facts)


@pytest.mark.parametrize("key", KEYS)
def test_a_run_does_what_was_planned_and_is_written_down_twice(key: str, tried: Tried) -> None:
    run = tried.door.carries_out(tried.door.submits(tried.plan()))
    assert run.state == "done", run.outcome
    assert tried.scenario.changed(tried.place)
    assert outcome_of(run).said
    rows = list(AuditEntry.objects.filter(run_number=run.pk).order_by("seq").values_list("phase", "result"))
    assert rows == [("intent", "queued"), ("outcome", "done")]
    assert bool(run.progress["commands"] or run.progress["last"]) is tried.scenario.sends, "what was sent is shown"


@pytest.mark.parametrize("key", KEYS)
def test_pressed_ten_times_at_once_it_runs_once(key: str, tried: Tried) -> None:
    plan = tried.plan()
    runs: list[int] = []
    gate = threading.Barrier(10)

    def press() -> None:
        try:
            gate.wait()
            runs.append(tried.door.submits(Plan.objects.get(pk=plan.pk)).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 10 and len(set(runs)) == 1
    assert Run.objects.count() == 1
    for _ in range(3):
        execution.execute(runs[0])
    assert AuditEntry.objects.filter(phase="outcome").count() == 1


@pytest.mark.parametrize("key", KEYS)
def test_cancelled_before_it_begins_nothing_is_done_and_the_run_is_closed(key: str, tried: Tried) -> None:
    plan = tried.plan()
    before = tried.scenario.state(tried.place)
    run = execution._create(  # a run that waits, whether or not the action would run at once
        tried.door.actor, plan, tried.action, Given(reason="a reason that is long"), single_person=True
    )
    execution.ask_to_stop(run, by=tried.door.actor)
    execution.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "cancelled" and run.finished_at
    assert tried.scenario.state(tried.place) == before


@pytest.mark.parametrize("key", KEYS)
def test_a_worker_that_dies_at_once_leaves_a_run_that_is_resumed_or_unknown(key: str, tried: Tried) -> None:
    plan = tried.plan()
    run = execution._create(
        tried.door.actor, plan, tried.action, Given(reason="a reason that is long"), single_person=True
    )
    Run.objects.filter(pk=run.pk).update(not_before=run.created_at)
    claimed = execution._claimed(run.pk)
    assert claimed is not None
    Run.objects.filter(pk=run.pk).update(heartbeat_at=run.created_at - reaping.SILENT_FOR * 2)
    assert reaping.reap() == 1
    run.refresh_from_db()
    assert run.state == ("queued" if tried.action.resumable else "unknown")


ROLES = [(role, environment) for role in Role for environment in ("dev", "staging", "prod")]


@pytest.mark.parametrize("key", KEYS)
def test_a_role_that_may_not_is_refused_at_the_plan_at_the_button_and_by_the_worker(
    key: str, tried: Tried, settings: Settings
) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    table, before = TABLE[tried.action.permission], tried.scenario.state(tried.place)
    for role, environment in ROLES:
        if table.need(role, environment) is not Need.NO:
            continue
        Server.objects.filter(pk=tried.server.pk).update(environment=environment)
        server = Server.objects.get(pk=tried.server.pk)
        nobody = person(f"{role}-{environment}")
        grant(nobody, role, ScopeKind.ENVIRONMENT, environment)
        with pytest.raises(Exception, match="not allowed"):
            Door(actor=actor_for(nobody), server=server).plans(key, **tried.params)
    Server.objects.filter(pk=tried.server.pk).update(environment="dev")
    assert tried.scenario.state(tried.place) == before


@pytest.mark.parametrize("key", KEYS)
def test_a_right_that_was_taken_away_meanwhile_stops_at_the_button_and_in_the_worker(key: str, tried: Tried) -> None:
    before = tried.scenario.state(tried.place)
    plan, later = tried.plan(), tried.plan()
    run = execution._create(
        tried.door.actor, later, tried.action, Given(reason="a reason that is long"), single_person=True
    )
    Run.objects.filter(pk=run.pk).update(not_before=run.created_at)
    operator = Operator.objects.get(pk=tried.door.actor.operator.pk)
    operator.assignments.all().delete()
    with pytest.raises(Exception, match="not allowed"):
        Door(actor=actor_for(operator), server=tried.server).submits(plan)
    execution.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "failed" and "may not do this any more" in run.outcome
    assert AuditEntry.objects.filter(phase="denied", run_number=run.pk).count() == 1
    assert tried.scenario.state(tried.place) == before


@pytest.mark.parametrize("key", KEYS)
def test_a_read_only_server_is_never_changed(key: str, tried: Tried) -> None:
    plan = tried.plan()
    Server.objects.filter(pk=tried.server.pk).update(read_only=True)
    with pytest.raises(Refused, match="read-only"):
        tried.door.submits(Plan.objects.get(pk=plan.pk))
    with pytest.raises(Refused, match="read-only"):
        Door(actor=tried.door.actor, server=Server.objects.get(pk=tried.server.pk)).plans(key, **tried.params)


@pytest.mark.parametrize("key", KEYS)
def test_secrets_are_nowhere(key: str, tried: Tried, caplog: pytest.LogCaptureFixture) -> None:
    if not tried.scenario.secrets:
        return
    tried.door.carries_out(tried.door.submits(tried.plan()))
    kept = json.dumps(
        [list(model.objects.values()) for model in (Plan, Run, AuditEntry, LogLine, Message)],
        default=str,
    )
    for secret in tried.scenario.secrets:
        assert secret not in kept and secret not in caplog.text


@pytest.mark.parametrize(
    "key",
    [key for key in KEYS if f"{key}.undo" in actions()],
)
def test_an_undo_puts_back_what_was(key: str, tried: Tried) -> None:
    before = tried.scenario.state(tried.place)
    run = tried.door.carries_out(tried.door.submits(tried.plan()))
    undo = tried.door.does(f"{key}.undo", run=run.pk)
    assert undo.state == "done", undo.outcome
    if tried.scenario.undone is not None:
        assert tried.scenario.undone(tried.place)
    else:
        assert tried.scenario.state(tried.place) == before

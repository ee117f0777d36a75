"""A string is written anew if it still is what was read; values are seen by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.engine.contracts.action import Refused
from apps.engine.text import ref
from apps.operations.planning import content_of
from tests.operations.door import OpenDoor
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
ACTION = "keyspace.edit_string"


def _prepare(server: RedisServer) -> dict[str, Any]:
    server.command("SET", "greeting", "canary-old", "PX", 900_000)
    server.command("SET", "other", "stays")
    return {"name": b"greeting", "value": "canary-new ☃"}


def _changed(server: RedisServer) -> bool:
    new = server.command("GET", "greeting") == "canary-new ☃".encode()
    return bool(new) and server.command("PTTL", "greeting") > 800_000 and server.command("GET", "other") == b"stays"


SCENARIO = Scenario(prepare=_prepare, changed=_changed, secrets=("canary-old", "canary-new"))


def test_a_value_that_somebody_else_wrote_meanwhile_stays(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", "a", "one")
    at = door(alice)
    plan = at.plans(ACTION, name=b"a", value="two")
    redis_clean.command("SET", "a", "three")
    run = at.submits(plan)
    run.refresh_from_db()
    assert run.state == "failed" and redis_clean.command("GET", "a") == b"three"


def test_undo_does_not_overwrite_what_came_later(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    redis_clean.command("SET", "a", "one")
    at = door(alice)
    run = at.does(ACTION, name=b"a", value="two")
    redis_clean.command("SET", "a", "three")
    assert content_of(at.plans(f"{ACTION}.undo", run=run.pk)).blocked
    redis_clean.command("SET", "a", "two")
    assert at.does(f"{ACTION}.undo", run=run.pk).state == "done"
    assert redis_clean.command("GET", "a") == b"one"


@pytest.mark.parametrize(("kind", "value"), [("SET", b"x" * 70_000), ("RPUSH", b"x")], ids=["too large", "no string"])
def test_what_no_form_should_write_is_refused(
    kind: str, value: bytes, redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command(kind, "a", value)
    with pytest.raises(Refused):
        door(alice).plans(ACTION, name=b"a", value="two")


def test_the_form_begins_with_the_value_for_whoever_may_see_it(
    redis_clean: RedisServer, alice: Operator, as_operator: Callable[[Operator], Client], door: OpenDoor
) -> None:
    redis_clean.command("SET", "a", "the value <b>")
    at = door(alice)
    page = as_operator(alice).get(f"/servers/{at.server.key}/do/{ACTION}/?name={ref(b'a')}")
    assert page.status_code == 200 and b"the value &lt;b&gt;" in page.content


def test_where_seeing_values_takes_a_reason_the_form_asks_for_it_first(
    redis_clean: RedisServer, alice: Operator, as_operator: Callable[[Operator], Client], door: OpenDoor
) -> None:
    redis_clean.command("SET", "a", "the value")
    at = door(alice, environment="staging")
    page = as_operator(alice).get(f"/servers/{at.server.key}/do/{ACTION}/?name={ref(b'a')}")
    assert page.status_code == 403 and b"the value" not in page.content and b"Why do you need this" in page.content


def test_bytes_that_are_no_text_are_not_put_into_a_form(
    redis_clean: RedisServer, alice: Operator, as_operator: Callable[[Operator], Client], door: OpenDoor
) -> None:
    redis_clean.command("SET", "a", b"\xff\xfe")
    at = door(alice)
    page = as_operator(alice).get(f"/servers/{at.server.key}/do/{ACTION}/?name={ref(b'a')}")
    assert page.status_code == 422 and b"not text" in page.content

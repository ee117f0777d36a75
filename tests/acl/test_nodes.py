"""A change goes to every node: all are asked before the first is touched, each has its result, and the rest can be planned again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.acl import applying
from apps.engine.connections import redis as connections
from apps.engine.contracts.action import Cancelled, Refused
from apps.operations.models import Run
from apps.operations.planning import content_of
from tests.acl.users import (
    CANARY,
    CANARY_HASH,
    OLD,
    another_node,
    console_account,
    lines,
    make,
    names,
    register,
    signs_in,
)
from tests.operations.door import Door, actor_for, outcome_of
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
CHANGE = "acl.change_user"
ASKED: dict[str, Any] = {"name": b"app", "rules": "~cart:* -@all +get"}


@pytest.fixture(autouse=True)
def _no_idle_connections() -> Iterator[None]:
    yield
    connections.forget_connections()


@pytest.fixture
def second(each_redis: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    """A second node of the same version, which keeps its users in a file."""
    aclfile = tmp_path / "users.acl"
    aclfile.write_text("")
    with another_node(each_redis, tmp_path / "second", aclfile=str(aclfile)) as node:
        yield node


def both(first: RedisServer, second: RedisServer, *words: str) -> None:
    for node in (first, second):
        make(node, "app", "~*", "+@read", *words)


def states(run: Run) -> list[str]:
    table = outcome_of(run).table
    assert table is not None
    return [row[1].text for row in table.rows]


def saved(run: Run) -> list[str]:
    table = outcome_of(run).table
    assert table is not None
    return [row[2].text for row in table.rows]


def deployment(*nodes: RedisServer, operator: Operator) -> Door:
    return Door(actor=actor_for(operator), server=register(*nodes))


def rules_of(node: RedisServer) -> set[bytes]:
    return set(lines(node)[b"app"].split(b" "))


def test_every_node_is_changed_and_saved_where_it_has_a_file(
    each_redis: RedisServer, second: RedisServer, alice: Operator, private_folders: None, tmp_path: Path
) -> None:
    both(each_redis, second)
    at = deployment(each_redis, second, operator=alice)
    said = content_of(at.plans(CHANGE, **ASKED))
    assert said.figures[0].amount.value == 2
    run = at.does(CHANGE, **ASKED)
    assert run.state == "done", run.outcome
    assert states(run) == ["changed", "changed"] and saved(run) == ["until it restarts", "saved"]
    for node in (each_redis, second):
        assert {b"~cart:*", b"+get"} <= rules_of(node) and signs_in(node, "app", OLD)
        assert names(node) == {b"default", b"app"}
    written = (tmp_path / "users.acl").read_bytes()
    assert b"user app on" in written and b"__signalbox" not in written


def test_a_node_that_is_stopped_half_way_leaves_a_partial_run_and_planning_again_does_the_rest(
    each_redis: RedisServer,
    second: RedisServer,
    alice: Operator,
    private_folders: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both(each_redis, second)
    at = deployment(each_redis, second, operator=alice)
    plan = at.plans(CHANGE, **ASKED)
    told = applying._told

    def then_stop(*given: Any) -> Any:
        result = told(*given)
        second.embedded.stop()
        return result

    with monkeypatch.context() as patched:
        patched.setattr(applying, "_told", then_stop)
        run = at.carries_out(at.submits(plan))
    assert run.state == "partial" and states(run) == ["changed", "not known"]
    assert "1 of 2 nodes" in str(outcome_of(run).said)
    assert b"~cart:*" in rules_of(each_redis)
    second.embedded.start()
    make(second, "app", "~*", "+@read")
    again = at.does(CHANGE, **ASKED)
    assert again.state == "done" and states(again) == ["nothing to do", "changed"]
    assert b"~cart:*" in rules_of(second)


def test_the_undo_of_a_partial_run_touches_the_nodes_that_it_changed(
    each_redis: RedisServer,
    second: RedisServer,
    alice: Operator,
    private_folders: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both(each_redis, second)
    before = lines(each_redis), lines(second)
    at = deployment(each_redis, second, operator=alice)
    plan = at.plans(CHANGE, **ASKED)
    progress_check = applying._one

    def cancelled_at_the_second(line: Any, node: Any, *given: Any) -> Any:
        if str(node.address) == str(second.socket):
            raise Cancelled("Stopped by hand.")
        return progress_check(line, node, *given)

    with monkeypatch.context() as patched:
        patched.setattr(applying, "_one", cancelled_at_the_second)
        run = at.carries_out(at.submits(plan))
    assert run.state == "cancelled" and states(run) == ["changed", "not reached"]
    assert lines(second) == before[1]
    undo = at.does(f"{CHANGE}.undo", run=run.pk)
    assert undo.state == "done" and (lines(each_redis), lines(second)) == before
    assert states(undo) == ["changed", "nothing to do"]


def test_a_node_that_does_not_take_the_rules_keeps_every_node_as_it_was(
    each_redis: RedisServer, second: RedisServer, alice: Operator, private_folders: None
) -> None:
    """The second node is tried before the first is changed: there the console may not make users any more."""
    both(each_redis, second)
    console_account(each_redis, second)
    at = Door(actor=actor_for(alice), server=register(each_redis, second, monitor="console"))
    plan = at.plans(CHANGE, **ASKED)
    looks = [f"+acl|{word}" for word in ("list", "whoami", "log", "cat", "deluser", "dryrun")]
    second.command("ACL", "SETUSER", "console", "-acl", *looks)
    before = lines(each_redis), lines(second)
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "ACL SETUSER" in run.outcome
    assert (lines(each_redis), lines(second)) == before


def test_a_node_that_does_not_answer_stops_the_plan_unless_it_is_to_go_on_without(
    each_redis: RedisServer, second: RedisServer, alice: Operator, private_folders: None
) -> None:
    both(each_redis, second)
    at = deployment(each_redis, second, operator=alice)
    second.embedded.stop()
    with pytest.raises(Refused, match="every node") as refused:
        at.plans(CHANGE, **ASKED)
    assert refused.value.field == "without_missing"
    said = content_of(at.plans(CHANGE, **ASKED, without_missing=True))
    assert any(fact.label == "Left out" for fact in said.facts)
    run = at.does(CHANGE, **ASKED, without_missing=True)
    assert run.state == "partial" and states(run) == ["changed", "not reached"]
    assert b"~cart:*" in rules_of(each_redis)


def test_a_node_that_goes_between_plan_and_run_stops_it_before_anything_is_changed(
    each_redis: RedisServer, second: RedisServer, alice: Operator, private_folders: None
) -> None:
    both(each_redis, second)
    before = lines(each_redis)
    at = deployment(each_redis, second, operator=alice)
    plan = at.plans(CHANGE, **ASKED)
    second.embedded.stop()
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and lines(each_redis) == before


def test_nodes_that_disagree_are_said_and_each_keeps_its_own_password(
    each_redis: RedisServer, second: RedisServer, alice: Operator, private_folders: None
) -> None:
    make(each_redis, "app", "~*", "+@read", password="one")
    make(second, "app", "~*", "+@all", password="two")
    at = deployment(each_redis, second, operator=alice)
    said = content_of(at.plans(CHANGE, **ASKED))
    assert any(fact.label == "Nodes disagree now" for fact in said.facts)
    assert at.does(CHANGE, **ASKED).state == "done"
    assert signs_in(each_redis, "app", "one") and signs_in(second, "app", "two")


def test_a_node_that_lacks_the_user_gets_it_with_the_passwords_of_the_first(
    each_redis: RedisServer, second: RedisServer, alice: Operator, private_folders: None
) -> None:
    make(each_redis, "app", "~*", "+@read")
    at = deployment(each_redis, second, operator=alice)
    run = at.does(CHANGE, **ASKED)
    assert run.state == "done" and signs_in(second, "app", OLD)
    undo = at.does(f"{CHANGE}.undo", run=run.pk)
    assert undo.state == "done" and names(second) == {b"default"} and signs_in(each_redis, "app", OLD)


def test_a_user_is_made_only_where_there_is_none(
    each_redis: RedisServer, second: RedisServer, alice: Operator, private_folders: None
) -> None:
    make(each_redis, "app", "~*", "+@all")
    before = lines(each_redis)
    at = deployment(each_redis, second, operator=alice)
    run = at.does("acl.create_user", name=b"app", rules="~cart:* +get", password=CANARY)
    assert run.state == "done" and states(run) == ["nothing to do", "changed"]
    assert lines(each_redis) == before and signs_in(second, "app", CANARY)
    for kept in (run.outcome, str(run.progress), run.plan.content, run.plan.params):
        assert CANARY not in kept and CANARY_HASH not in kept


@pytest.mark.parametrize("key", ["acl.disable_user", "acl.enable_user", "acl.delete_user"])
def test_switching_and_deleting_go_to_every_node_that_has_the_user(
    each_redis: RedisServer, second: RedisServer, alice: Operator, private_folders: None, key: str
) -> None:
    both(each_redis, second, *(["off"] if key == "acl.enable_user" else []))
    before = lines(each_redis), lines(second)
    at = deployment(each_redis, second, operator=alice)
    run = at.does(key, name=b"app")
    assert run.state == "done" and states(run) == ["changed", "changed"]
    for node in (each_redis, second):
        assert signs_in(node, "app", OLD) == (key == "acl.enable_user")
    undo = at.does(f"{key}.undo", run=run.pk)
    assert undo.state == "done" and (lines(each_redis), lines(second)) == before


def test_a_file_of_users_that_cannot_be_written_makes_the_run_partial_and_says_so(
    each_redis: RedisServer, second: RedisServer, alice: Operator, private_folders: None, tmp_path: Path
) -> None:
    both(each_redis, second)
    at = deployment(each_redis, second, operator=alice)
    plan = at.plans(CHANGE, **ASKED)
    (tmp_path / "users.acl").unlink()
    (tmp_path / "users.acl").mkdir()
    run = at.carries_out(at.submits(plan))
    assert run.state == "partial" and states(run) == ["changed", "failed"]
    assert "Changed; but then" in run.outcome and b"~cart:*" in rules_of(second)

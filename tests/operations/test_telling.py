"""Who is told what, where and when: toasts on their pages, and rows of the outbox in the transaction of the event."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import Operator, Role, ScopeKind
from apps.engine.contracts.plan import Ending, Outcome, say
from apps.operations import agreeing, execution, reaping
from apps.operations.models import AuditEntry, Message, Notice, Run
from tests.accounts.conftest import make_fresh
from tests.conftest import grant
from tests.operations.conftest import SECRET
from tests.operations.door import OpenDoor
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
SignIn = Callable[[Operator], Client]
REASON = "ticket 4711: the old checkout"


@pytest.fixture
def told(settings: Settings, alice: Operator, dana: Operator) -> None:
    """Everybody has an address, and there are two webhooks."""
    settings.EMAIL_HOST = "mail.example.org"
    settings.NOTIFY_WEBHOOKS = ["https://hooks.example.org/s3cret", "https://pager.example.org/s3cret"]
    settings.NOTIFY_WEBHOOK_SECRET = SECRET
    for person in (alice, dana):
        person.email = f"{person.username}@example.org"
        person.save()


def delete_carts(redis: RedisServer, operator: Operator, door: OpenDoor) -> Run:
    redis.command("SET", "cart:s3cret-customer", "apples")
    return door(operator).does("keyspace.delete_pattern", pattern=b"cart:*")


def toasts_of(client: Client) -> list[str]:
    response = client.get("/toasts/")
    assert response.status_code == 200
    return [notice.words for notice in response.context["toasts"]]


def test_the_end_of_a_run_in_the_background_is_told_once_a_place(
    told: None, redis_clean: RedisServer, alice: Operator, door: OpenDoor, settings: Settings
) -> None:
    run = delete_carts(redis_clean, alice, door)
    assert run.state == "done" and not run.inline
    messages = list(Message.objects.order_by("pk"))
    assert [(message.channel, message.operator) for message in messages] == [
        ("email", alice),
        ("webhook", None),
        ("webhook", None),
    ]
    assert messages[0].place == "alice@example.org"
    assert messages[1].place.startswith("https://hooks.example.org #")
    for message in messages:
        assert message.state == "waiting" and message.event == "run ended"
        assert message.payload["url"] == f"{settings.PUBLIC_URL}/runs/{run.pk}/"
        assert {
            "state": "done",
            "run": run.pk,
            "server": "cache",
            "environment": "dev",
        }.items() <= message.payload.items()
    written = json.dumps([[message.payload, message.place] for message in messages])
    assert "s3cret" not in written and "cart:" not in written, "neither names of keys nor paths of webhooks"


def test_a_run_that_answers_on_its_own_page_is_not_told(
    told: None, redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", "cart:1", "apples")
    at = door(alice)
    run = at.submits(at.plans("keyspace.delete_key", name=b"cart:1"))
    run.refresh_from_db()
    assert run.inline and run.state == "done"
    assert not Message.objects.exists() and not Notice.objects.exists()


def test_what_is_undone_with_its_transaction_was_never_told(
    told: None, redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    redis_clean.command("SET", "cart:1", "apples")
    run = at.submits(at.plans("keyspace.delete_pattern", pattern=b"cart:*"))
    Run.objects.filter(pk=run.pk).update(state="running", token="t" * 32)
    run.refresh_from_db()
    with pytest.raises(RuntimeError), transaction.atomic():
        assert execution.close(run, Outcome(ending=Ending.DONE, said=say("Done.")))
        assert Message.objects.count() == 3
        raise RuntimeError
    assert not Message.objects.exists() and not Notice.objects.exists()


def test_a_question_goes_to_those_who_could_answer_and_its_answer_to_the_one_who_asked(
    told: None, redis_clean: RedisServer, alice: Operator, bob: Operator, dana: Operator, door: OpenDoor,
    as_operator: SignIn, settings: Settings,
) -> None:  # fmt: skip
    settings.REQUIRE_SECOND_FACTOR = False
    other = Operator.objects.create_user("frank", email="frank@example.org")
    grant(other, Role.MAINTAINER)
    redis_clean.command("SET", "cart:1", "apples")
    at = door(alice, environment="prod")
    approval = agreeing.ask(at.actor, at.plans("keyspace.delete_pattern", pattern=b"cart:*"), reason=REASON)
    mails = Message.objects.filter(channel="email").values_list("place", flat=True)
    assert list(mails) == ["frank@example.org"]
    assert toasts_of(as_operator(other)) == ["alice asks you to agree to a plan on cache"]
    assert toasts_of(as_operator(bob)) == toasts_of(as_operator(dana)) == toasts_of(as_operator(alice)) == []
    assert as_operator(other).get(f"/approvals/{approval.pk}/").status_code == 200
    assert toasts_of(as_operator(other)) == [], "whoever has the question open needs no toast"


def test_a_toast_shows_on_any_page_and_is_put_away_by_its_owner_alone(
    redis_clean: RedisServer, alice: Operator, bob: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    run = delete_carts(redis_clean, alice, door)
    words = f"Run {run.pk} on cache: done"
    hers, his = as_operator(alice), as_operator(bob)
    assert toasts_of(hers) == [words] and toasts_of(his) == []
    assert b'id="toasts" data-poll="10"' in hers.get("/").content
    notice = Notice.objects.get()
    his.post(f"/toasts/{notice.pk}/")
    assert toasts_of(hers) == [words]
    left = hers.post(f"/toasts/{notice.pk}/", headers={"HX-Request": "true"})
    assert left.status_code == 200 and words.encode() not in left.content
    assert toasts_of(hers) == []


def test_putting_a_toast_away_leaves_one_on_the_page_and_following_it_goes_there(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    run = delete_carts(redis_clean, alice, door)
    client, notice = as_operator(alice), Notice.objects.get()
    away = client.post(f"/toasts/{notice.pk}/", headers={"Referer": "http://testserver/queues/?q=1"})
    assert away["Location"] == "/queues/?q=1"
    assert client.post(f"/toasts/{notice.pk}/", headers={"Referer": "http://evil.example.org/x"})["Location"] == "/"
    assert client.post(f"/toasts/{notice.pk}/", {"follow": "1"})["Location"] == f"/runs/{run.pk}/"


def test_a_run_whose_page_is_open_counts_as_seen(
    redis_clean: RedisServer, alice: Operator, dana: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    run = delete_carts(redis_clean, alice, door)
    client = as_operator(alice)
    as_operator(dana).get(f"/runs/{run.pk}/")
    assert len(toasts_of(client)) == 1, "somebody else looked at it"
    refreshed = client.get(f"/runs/{run.pk}/", headers={"HX-Request": "true", "HX-Target": "run"})
    assert refreshed.status_code == 200
    assert toasts_of(client) == []


def test_no_toast_about_a_server_that_one_may_not_see_any_more(
    redis_clean: RedisServer, charlie: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    held = grant(charlie, Role.MAINTAINER, ScopeKind.SERVER, "cache")
    delete_carts(redis_clean, charlie, door)
    client = as_operator(charlie)
    assert len(toasts_of(client)) == 1
    held.delete()
    assert toasts_of(client) == []


def test_an_old_toast_and_an_old_message_are_forgotten(alice: Operator) -> None:
    from apps.operations import outbox

    now = timezone.now()
    Notice.objects.create(operator=alice, signal="ok", words="old", url="/", at=now - timedelta(days=2))
    Notice.objects.create(operator=alice, signal="ok", words="new", url="/")
    for state, days in (("delivered", 8), ("delivered", 6), ("given up", 29), ("given up", 31), ("waiting", 60)):
        made = now - timedelta(days=days)
        Message.objects.create(
            event=f"{state} {days}", channel="email", place="x", payload={}, state=state, created_at=made
        )
    reaping.forget_old()
    outbox.forget_old()
    assert [notice.words for notice in Notice.objects.all()] == ["new"]
    kept = Message.objects.order_by("pk").values_list("event", flat=True)
    assert list(kept) == ["delivered 6", "given up 29", "waiting 60"]


# -- one's own address -------------------------------------------------------------------------------------------------


def test_everybody_sets_where_their_messages_go(alice: Operator, as_operator: SignIn) -> None:
    client = as_operator(alice)
    client.post("/operators/me/email/", {"email": "alice@example.org"})
    alice.refresh_from_db()
    assert alice.email == "", "a session that was left open sends no messages elsewhere"
    make_fresh(client)
    client.post("/operators/me/email/", {"email": "alice@example.org"})
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"
    assert b'value="alice@example.org"' in client.get("/operators/me/").content
    assert AuditEntry.objects.get(action="operator.email").actor == "alice"
    client.post("/operators/me/email/", {"email": ""})
    alice.refresh_from_db()
    assert alice.email == ""


@pytest.mark.parametrize(
    "wrong", ["alice", "alice@example.org\nBcc: eve@example.org", "a@b, c@d", "x" * 300 + "@example.org"]
)
def test_an_address_that_is_none_is_refused_and_not_lost(wrong: str, alice: Operator, as_operator: SignIn) -> None:
    client = as_operator(alice)
    make_fresh(client)
    answer = client.post("/operators/me/email/", {"email": wrong})
    alice.refresh_from_db()
    assert answer.status_code == 422 and alice.email == ""
    assert answer.context["email_form"]["email"].value() == wrong

"""From the outbox to people: once in the normal case, at least once when somebody is killed, never silently lost."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import Operator, Role, ScopeKind
from apps.engine.connections.broker import broker_url
from apps.engine.embedded.place import free_port
from apps.engine.embedded.redis import EmbeddedRedis
from apps.operations import notifier, outbox
from apps.operations.channels.webhook import place_of
from apps.operations.models import AuditEntry, Message
from apps.servers.models import Server
from tests.accounts.conftest import make_fresh
from tests.conftest import grant
from tests.operations.conftest import SECRET, Notify
from tests.operations.sinks import MailSink, WebSink

pytestmark = pytest.mark.django_db(transaction=True)
FACTS = {"event": "run ended", "words": "Run 7 on cache: done", "url": "https://console.example.org/runs/7/"}


def to_webhook(sink: WebSink, **fields: Any) -> Message:
    return Message.objects.create(
        event="run ended", channel="webhook", place=place_of(sink.url), payload={**FACTS, "run": 7}, **fields
    )


def to_person(operator: Operator, *, server: str = "") -> Message:
    payload = {**FACTS, "server": server} if server else dict(FACTS)
    operator.email = f"{operator.username}@example.org"
    operator.save()
    return Message.objects.create(
        event="run ended", channel="email", place=operator.email, operator=operator, payload=payload
    )


def due(message: Message) -> None:
    """As if its time had come."""
    Message.objects.filter(pk=message.pk).update(next_at=timezone.now() - timedelta(seconds=1))


def refreshed(message: Message) -> Message:
    message.refresh_from_db()
    return message


# -- webhooks ----------------------------------------------------------------------------------------------------------


def test_a_message_is_posted_once_signed_and_marked_as_delivered(web: WebSink, notify: Notify) -> None:
    message = to_webhook(web)
    assert outbox.relay() == 1
    assert outbox.relay() == 0, "it is handed over already"
    notify()
    (request,) = web.requests
    told = json.loads(request.body)
    assert told == {**FACTS, "run": 7, "id": str(message.uid), "at": message.created_at.isoformat()}
    assert request.headers["Idempotency-Key"] == str(message.uid)
    at, digest = request.headers["Signalbox-Signature"].split(",")
    signed = f"{at.removeprefix('t=')}.".encode() + request.body
    assert digest == "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert abs(int(at.removeprefix("t=")) - time.time()) < 60
    assert (refreshed(message).state, message.tries_count, message.error) == ("delivered", 1, "")
    assert message.delivered_at is not None
    assert outbox.relay() == 0


def test_a_job_carries_the_number_and_nothing_else(web: WebSink, broker: EmbeddedRedis) -> None:
    message = to_webhook(web)
    outbox.relay()
    (job,) = outbox.queue().jobs
    assert (job.func_name, job.args, job.kwargs) == ("apps.operations.notifier.deliver", [message.pk], {})
    raw = b" ".join(job.connection.hgetall(job.key).values())
    assert b"s3cret-path" not in raw and b"Run 7" not in raw


def test_a_second_copy_of_a_job_delivers_nothing(web: WebSink, notify: Notify) -> None:
    message = to_webhook(web)
    outbox.relay()
    for _ in range(3):
        outbox.queue().enqueue(outbox.JOB, message.pk)
    notify()
    assert len(web.requests) == 1


def test_of_two_notifiers_one_delivers(web: WebSink, broker: EmbeddedRedis) -> None:
    message = to_webhook(web)
    outbox.relay()
    web.hold = threading.Event()
    first = threading.Thread(target=_deliver_and_hang_up, args=(message.pk,))
    first.start()
    _until(lambda: len(web.requests) == 1)
    notifier.deliver(message.pk)
    web.hold.set()
    first.join(30)
    assert len(web.requests) == 1 and refreshed(message).state == "delivered"


def _deliver_and_hang_up(pk: int) -> None:
    try:
        notifier.deliver(pk)
    finally:
        connection.close()


def _until(true: Callable[[], bool], *, within_s: float = 30) -> None:
    ends_at = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends_at, "it never came to that"
        time.sleep(0.02)


def test_each_failed_try_waits_longer_until_the_message_is_given_up(web: WebSink, notify: Notify) -> None:
    web.statuses = [503]
    message = to_webhook(web)
    pauses_s = []
    for _ in outbox.BACKOFF_S:
        outbox.relay()
        notify()
        assert refreshed(message).state == "waiting"
        pauses_s.append(round((message.next_at - timezone.now()).total_seconds(), -1))
        assert outbox.relay() == 0, "not before its time"
        due(message)
    assert pauses_s == [30, 120, 600, 3600, 6 * 3600]
    outbox.relay()
    notify()
    assert (refreshed(message).state, message.tries_count) == ("given up", 6)
    assert message.error == "It answered 503."
    due(message)
    assert outbox.relay() == 0
    assert len({request.headers["Idempotency-Key"] for request in web.requests}) == 1
    assert len(web.requests) == 6


def test_what_fails_once_is_delivered_at_the_next_try(web: WebSink, notify: Notify) -> None:
    web.statuses = [500, 204]
    message = to_webhook(web)
    outbox.relay()
    notify()
    due(message)
    outbox.relay()
    notify()
    assert (refreshed(message).state, message.tries_count, message.error) == ("delivered", 2, "")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
def test_a_refusal_that_will_not_pass_is_given_up_at_once(web: WebSink, notify: Notify, status: int) -> None:
    web.statuses = [status]
    message = to_webhook(web)
    outbox.relay()
    notify()
    assert (refreshed(message).state, message.error) == ("given up", f"It answered {status}.")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_refusal_that_may_pass_is_tried_again(web: WebSink, notify: Notify, status: int) -> None:
    web.statuses = [status]
    message = to_webhook(web)
    outbox.relay()
    notify()
    assert refreshed(message).state == "waiting"


def test_what_the_receiver_asks_to_wait_is_waited_within_bounds(web: WebSink, notify: Notify) -> None:
    web.statuses, web.headers = [429], {"Retry-After": "900"}
    message = to_webhook(web)
    outbox.relay()
    notify()
    assert 890 < (refreshed(message).next_at - timezone.now()).total_seconds() <= 900
    web.headers = {"Retry-After": "999999999"}
    due(message)
    outbox.relay()
    notify()
    assert (refreshed(message).next_at - timezone.now()).total_seconds() <= 6 * 3600


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(web: WebSink, notify: Notify, status: int) -> None:
    web.statuses, web.headers = [status], {"Location": f"http://127.0.0.1:{web.port}/elsewhere"}
    message = to_webhook(web)
    outbox.relay()
    notify()
    assert [request.path for request in web.requests] == ["/hooks/s3cret-path"]
    assert refreshed(message).error.startswith(f"It answered {status}: redirects are not followed")


def test_an_answer_is_waited_for_no_longer_than_the_time_out(web: WebSink, notify: Notify, settings: Settings) -> None:
    settings.NOTIFY_TIMEOUT_S = 0.2
    web.hold = threading.Event()
    message = to_webhook(web)
    outbox.relay()
    notify()
    web.hold.set()
    assert refreshed(message).state == "waiting" and "TimeoutError" in message.error


def test_a_long_answer_is_read_up_to_a_bound(web: WebSink, notify: Notify) -> None:
    web.body = b"x" * 20_000_000
    message = to_webhook(web)
    outbox.relay()
    notify()
    assert refreshed(message).state == "delivered"


def test_nobody_listening_is_a_failed_try_without_the_address(
    web: WebSink, notify: Notify, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://user:p4ss@127.0.0.1:{free_port()}/hooks/s3cret-path?token=t0ken"
    settings.NOTIFY_WEBHOOKS = [url]
    message = Message.objects.create(event="run ended", channel="webhook", place=place_of(url), payload=FACTS)
    outbox.relay()
    notify()
    assert (
        refreshed(message).state == "waiting" and message.error == "It could not be reached (ConnectionRefusedError)."
    )
    seen = caplog.text + message.place + message.error + str(message)
    assert not any(secret in seen for secret in ("s3cret-path", "p4ss", "t0ken"))


def test_a_webhook_that_was_taken_out_of_the_configuration_gets_nothing_more(
    web: WebSink, notify: Notify, settings: Settings
) -> None:
    message = to_webhook(web)
    settings.NOTIFY_WEBHOOKS = []
    outbox.relay()
    notify()
    assert web.requests == [] and refreshed(message).state == "given up"


def test_nothing_is_sent_unsigned(web: WebSink, notify: Notify, settings: Settings) -> None:
    settings.NOTIFY_WEBHOOK_SECRET = ""
    message = to_webhook(web)
    outbox.relay()
    notify()
    assert web.requests == [] and refreshed(message).state == "given up"


def test_webhooks_without_a_secret_or_without_an_address_stop_the_start(settings: Settings) -> None:
    settings.NOTIFY_WEBHOOKS, settings.NOTIFY_WEBHOOK_SECRET = (
        ["https://hooks.example.org/s3cret", "ftp://x/s3cret"],
        "",
    )
    said = {error.id: str(error) for error in run_checks()}
    assert "number 2" in said["operations.E003"] and "s3cret" not in said["operations.E003"]
    assert "NOTIFY_WEBHOOK_SECRET" in said["operations.E004"]
    settings.NOTIFY_WEBHOOKS, settings.NOTIFY_WEBHOOK_SECRET = ["https://hooks.example.org/s3cret"], SECRET
    assert not {error.id for error in run_checks()} & {"operations.E003", "operations.E004"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.org/services/T0/B0/s3cret", "https://hooks.example.org #"),
        ("https://user:p4ss@hooks.example.org:8443/x", "https://hooks.example.org:8443 #"),
        ("http://[::1]:9000/s3cret", "http://[::1]:9000 #"),
    ],
)
def test_of_a_webhook_only_the_origin_is_kept(url: str, shown: str) -> None:
    place = place_of(url)
    assert place.startswith(shown) and len(place) == len(shown) + 6
    assert place != place_of(url + "/other")


# -- mail --------------------------------------------------------------------------------------------------------------


def test_a_mail_is_text_with_the_facts_and_a_link(mail: MailSink, notify: Notify, alice: Operator) -> None:
    message = to_person(alice)
    Message.objects.filter(pk=message.pk).update(payload={**FACTS, "words": "Run 7\r\nBcc: eve@example.org"})
    outbox.relay()
    notify()
    (sent,) = mail.mails
    assert mail.receivers == ["alice@example.org"] == [sent["To"]]
    assert sent["Subject"] == "[Signalbox] Run 7 Bcc: eve@example.org", "a line break begins no header"
    assert sent["Bcc"] is None
    assert sent["Message-ID"].startswith(f"<{message.uid}@")
    assert sent.get_content_type() == "text/plain"
    assert "https://console.example.org/runs/7/" in sent.get_content()
    assert refreshed(message).state == "delivered"


def test_a_receiver_refused_for_good_is_given_up_and_one_refused_for_now_is_tried_again(
    mail: MailSink, notify: Notify, alice: Operator, bob: Operator
) -> None:
    mail.refused = [550, 451]
    gone, greylisted = to_person(alice), to_person(bob)
    outbox.relay()
    notify()
    assert (refreshed(gone).state, gone.error) == ("given up", "The mail server refused the receiver (550).")
    assert refreshed(greylisted).state == "waiting"
    due(greylisted)
    outbox.relay()
    notify()
    assert refreshed(greylisted).state == "delivered" and mail.receivers == ["bob@example.org"]


def test_a_mail_server_that_is_down_is_waited_for(
    mail: MailSink, notify: Notify, alice: Operator, settings: Settings
) -> None:
    settings.EMAIL_PORT = free_port()
    message = to_person(alice)
    outbox.relay()
    notify()
    assert refreshed(message).state == "waiting" and "ConnectionRefusedError" in message.error


def test_nobody_is_mailed_about_a_server_that_they_may_not_see_any_more(
    mail: MailSink, notify: Notify, charlie: Operator, alice: Operator
) -> None:
    Server.objects.create(key="orders-cache", kind="redis", environment="dev")
    Server.objects.create(key="jobs-broker", kind="redis", environment="dev")
    held = grant(charlie, Role.VIEWER, ScopeKind.SERVER, "jobs-broker")
    may, may_not = to_person(charlie, server="jobs-broker"), to_person(charlie, server="orders-cache")
    outbox.relay()
    notify()
    assert refreshed(may).state == "delivered"
    assert refreshed(may_not).state == "given up" and "no longer" in may_not.error
    held.delete()
    later = to_person(charlie, server="jobs-broker")
    alice.locked_at = timezone.now()
    alice.save()
    locked_out = to_person(alice)
    outbox.relay()
    notify()
    assert refreshed(later).state == refreshed(locked_out).state == "given up"
    assert mail.receivers == ["charlie@example.org"]


# -- when something stops ----------------------------------------------------------------------------------------------


def test_while_the_broker_is_down_messages_wait_and_are_handed_over_afterwards(
    web: WebSink, broker: EmbeddedRedis, notify: Notify
) -> None:
    messages = [to_webhook(web) for _ in range(3)]
    broker.stop()
    assert outbox.relay() == 0
    assert {refreshed(message).state for message in messages} == {"waiting"}
    broker.start()
    assert outbox.relay() == 3
    notify()
    assert len(web.requests) == 3


def test_a_broker_that_lost_its_queue_loses_no_message(web: WebSink, broker: EmbeddedRedis, notify: Notify) -> None:
    message = to_webhook(web)
    outbox.relay()
    outbox.queue().connection.flushall()
    notify()
    assert web.requests == []
    due(message)
    assert outbox.relay() == 1
    notify()
    assert len(web.requests) == 1 and refreshed(message).state == "delivered"


def test_a_notifier_that_is_far_behind_gets_no_further_copies(web: WebSink, broker: EmbeddedRedis) -> None:
    to_webhook(web)
    waiting = outbox.queue()
    for _ in range(outbox.MOST_AT_ONCE):
        waiting.enqueue(outbox.JOB, 0)
    assert outbox.relay() == 0


def start_notifier(web: WebSink, *words: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.operations.notifier_settings",
        "NOTIFIER_DATABASE": str(connection.settings_dict["NAME"]),
        "NOTIFIER_BROKER": django_settings.BROKER_URL,
        "NOTIFIER_WEBHOOK": web.url,
        "NOTIFIER_SECRET": SECRET,
    }
    command = [sys.executable, "manage.py", "notifier", *words]
    return subprocess.Popen(command, env=environment, cwd=django_settings.BASE_DIR)


def kill_with_its_fork(process: subprocess.Popen[bytes]) -> None:
    """Each message is delivered by a fork, in a process group of its own."""
    forks = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, forks)):
        os.kill(pid, signal.SIGKILL)
    process.wait(30)


def test_the_notifier_is_a_process_of_its_own_that_delivers_and_ends_when_asked(
    web: WebSink, broker: EmbeddedRedis
) -> None:
    message = to_webhook(web)
    outbox.relay()
    process = start_notifier(web)
    try:
        _until(lambda: refreshed(message).state == "delivered")
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert len(web.requests) == 1


def test_what_a_killed_notifier_had_in_hand_is_delivered_by_another_with_the_same_key(
    web: WebSink, broker: EmbeddedRedis, notify: Notify
) -> None:
    message = to_webhook(web)
    outbox.relay()
    web.hold = threading.Event()
    process = start_notifier(web)
    try:
        _until(lambda: len(web.requests) == 1)
    finally:
        kill_with_its_fork(process)
        web.hold.set()
    assert refreshed(message).state == "delivering"
    assert outbox.relay() == 0, "it may still be at it"
    due(message)
    assert outbox.relay() == 1
    notify()
    assert refreshed(message).state == "delivered" and message.tries_count == 2
    first, second = web.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_a_notifier_that_comes_back_late_does_not_change_what_another_has_written(web: WebSink) -> None:
    message = to_webhook(web, state="handed")
    late = outbox.claim(message.pk)
    assert late is not None
    Message.objects.filter(pk=message.pk).update(state="handed")
    second = outbox.claim(message.pk)
    assert second is not None
    outbox.delivered(second)
    outbox.failed(late, "It answered 500.")
    assert (refreshed(message).state, message.error) == ("delivered", "")


@pytest.mark.parametrize(
    ("celery", "redis"),
    [
        ("redis://:p%2F@host:6379/3", "redis://:p%2F@host:6379/3"),
        ("redis+socket://:p%2F@/run/b.sock", "unix://:p%2F@/run/b.sock?db=0"),
        ("redis+socket:///run/b.sock?virtual_host=4", "unix:///run/b.sock?db=4"),
    ],
)
def test_the_brokers_address_in_the_words_of_the_notifiers_library(celery: str, redis: str) -> None:
    assert broker_url(celery) == redis


# -- the page ----------------------------------------------------------------------------------------------------------

SignIn = Callable[[Operator], Client]


def a_message(state: str = "delivered", **fields: Any) -> Message:
    known = {"channel": "webhook", "place": "https://hooks.example.org #a1b2c3", "payload": FACTS, "event": "run ended"}
    return Message.objects.create(state=state, **{**known, **fields})


def fresh(as_operator: SignIn, operator: Operator) -> Client:
    client = as_operator(operator)
    make_fresh(client)
    return client


def test_the_page_of_deliveries_is_for_admins(
    alice: Operator, bob: Operator, charlie: Operator, dana: Operator, erin: Operator, as_operator: SignIn
) -> None:
    for person in (alice, bob, charlie, erin):
        assert as_operator(person).get("/deliveries/").status_code == 403
        assert as_operator(person).post("/deliveries/again/").status_code == 403
    assert as_operator(dana).get("/deliveries/").status_code == 200


def test_an_empty_page_says_what_to_set(dana: Operator, as_operator: SignIn, settings: Settings) -> None:
    assert b"Set EMAIL_HOST or NOTIFY_WEBHOOKS" in as_operator(dana).get("/deliveries/").content
    settings.EMAIL_HOST = "mail.example.org"
    page = as_operator(dana).get("/deliveries/").content
    assert b"Nothing was to be told yet" in page
    waits = a_message("waiting", error="It answered 503.")
    assert b"1 message did not arrive yet and will be tried again" in as_operator(dana).get("/deliveries/").content
    Message.objects.filter(pk=waits.pk).update(state="delivered")
    assert b"Everything arrived" in as_operator(dana).get("/deliveries/").content


def test_the_page_lists_what_was_given_up_with_its_error(dana: Operator, as_operator: SignIn) -> None:
    a_message("given up", error="It answered 410.", tries_count=1)
    a_message("waiting", error="It answered 503.", tries_count=2)
    page = as_operator(dana).get("/deliveries/").content.decode()
    assert "1 message did not arrive" in page
    assert "It answered 410." in page and "It answered 503." in page
    assert page.count(">Try again</button>") == 1


def test_filters_choose_by_state_channel_and_place(dana: Operator, as_operator: SignIn) -> None:
    a_message("given up")
    a_message("waiting", channel="email", place="alice@example.org")
    a_message("delivered", channel="email", place="bob@example.org")

    def places(query: str) -> list[str]:
        rows = as_operator(dana).get(f"/deliveries/?{query}").context["rows"]
        return [row.place for row in rows]

    assert places("state=given up") == ["https://hooks.example.org #a1b2c3"]
    assert places("channel=email") == ["bob@example.org", "alice@example.org"]
    assert places("q=ALICE&channel=email") == ["alice@example.org"]
    assert places("state=given up&channel=email") == []
    assert len(places("state=nonsense&channel=%00&before=x")) == 3


def test_a_long_list_has_pages(dana: Operator, as_operator: SignIn) -> None:
    Message.objects.bulk_create(
        Message(event="run ended", channel="email", place=f"{n}@example.org", payload=FACTS) for n in range(250)
    )
    client, seen, before = as_operator(dana), [], ""
    while before is not None:
        context = client.get(f"/deliveries/?before={before}").context
        seen += [row.place for row in context["rows"]]
        before = context["next"]
    assert seen == [f"{n}@example.org" for n in reversed(range(250))]


def test_trying_again_asks_for_a_fresh_sign_in_then_delivers_and_is_written_down(
    web: WebSink, notify: Notify, dana: Operator, as_operator: SignIn
) -> None:
    message = to_webhook(web, state="given up", tries_count=6, error="It answered 503.")
    other = to_webhook(web, state="given up", tries_count=6)
    stale = as_operator(dana)
    stale.post("/deliveries/again/", {"message": message.pk})
    assert refreshed(message).state == "given up"
    client = fresh(as_operator, dana)
    assert client.post("/deliveries/again/", {"message": message.pk})["Location"] == "/deliveries/"
    assert refreshed(message).state == "waiting" and refreshed(other).state == "given up"
    entry = AuditEntry.objects.get(action="message.again")
    assert (entry.actor, entry.phase, entry.result) == ("dana", "console", "done")
    outbox.relay()
    notify()
    assert refreshed(message).state == "delivered" and len(web.requests) == 1


def test_what_was_delivered_or_is_under_way_is_not_tried_again(dana: Operator, as_operator: SignIn) -> None:
    made = [a_message(state) for state in ("delivered", "waiting", "handed", "delivering")]
    client = fresh(as_operator, dana)
    for message in made:
        client.post("/deliveries/again/", {"message": message.pk})
    client.post("/deliveries/again/")
    assert [refreshed(message).state for message in made] == ["delivered", "waiting", "handed", "delivering"]
    assert not AuditEntry.objects.exists(), "nothing was done, nothing is written down"


def test_all_that_the_filter_chooses_are_tried_again(dana: Operator, as_operator: SignIn) -> None:
    mine, others = a_message("given up", channel="email"), a_message("given up")
    answer = fresh(as_operator, dana).post("/deliveries/again/?channel=email")
    assert answer["Location"] == "/deliveries/?channel=email"
    assert refreshed(mine).state == "waiting" and refreshed(others).state == "given up"


def test_the_health_of_the_console_knows_of_messages_that_nobody_takes(settings: Settings) -> None:
    settings.METRICS_TOKEN = "token"
    a_message("given up")
    waiting = a_message("waiting", created_at=timezone.now() - timedelta(minutes=9))
    told = Client().get("/readyz").json()["dependencies"]["notifier"]
    assert told["ok"] is True and told["needed"] is False
    Message.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(minutes=11))
    assert Client().get("/readyz").json()["dependencies"]["notifier"] == {
        **told, "ok": False, "message": "1 messages wait and no notifier takes them", "latency_ms": ANY,
    }  # fmt: skip
    text = Client().get("/metrics", headers={"authorization": "Bearer token"}).content.decode()
    assert 'signalbox_messages{state="waiting"} 1.0' in text and 'signalbox_messages{state="given up"} 1.0' in text
